// One GET read to its end, with everything that is no success as an ApiFailure.
import { ApiFailure, beginningOf, type MissingRule, parsedJson, statusMessage } from './api-failure.ts'
import type { ClusterConnection } from './cluster-connection.ts'
import type { Watchdog } from './watchdog.ts'

export interface ApiRequest {
  readonly path: string
  readonly accept: string
  /** What has to be allowed for it. */
  readonly rule: MissingRule
  /** How long the body of an answer that is no success may take. */
  readonly reasonMs: number
}

/** What tests and status output print. */
export interface RequestCounts {
  requests: number
  bytes: number
}

const OK = 200
const FORBIDDEN = 403

/** The watchdog is over afterwards. Throws `ApiFailure`, or what the connection threw. */
export async function readAnswer(
  connection: ClusterConnection,
  { path, accept, rule, reasonMs }: ApiRequest,
  dog: Watchdog,
  counts: RequestCounts,
  onChunk: (chunk: Buffer) => void,
  onBegin: () => void = () => {},
): Promise<void> {
  try {
    counts.requests++
    const { status, body, retryAfterMs } = await connection.get(path, accept, dog.signal)
    if (status !== OK) {
      dog.within(reasonMs, `HTTP status ${status}`)
      const text = await beginningOf(body)
      counts.bytes += text.length
      const message = statusMessage(parsedJson(text) ?? text, status)
      throw new ApiFailure(status, message, { retryAfterMs, ...(status === FORBIDDEN && { missingRule: rule }) })
    }
    onBegin()
    for await (const chunk of body) {
      // One that had arrived before the end.
      if (dog.signal.aborted) break
      counts.bytes += (chunk as Buffer).length
      onChunk(chunk as Buffer)
    }
  } catch (error) {
    throw dog.reasonOf(error)
  } finally {
    dog.end()
  }
}
