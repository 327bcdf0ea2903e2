// One request whose answer is read to its end, with everything that is no success as an ApiFailure.
import { ApiFailure, beginningOf, type MissingRule, parsedJson, statusMessage } from './api-failure.ts'
import type { ApiResponse } from './api-transport.ts'
import type { ClusterConnection } from './cluster-connection.ts'
import { Watchdog } from './watchdog.ts'

export interface ApiRequest {
  readonly path: string
  readonly accept: string
  /** JSON that is posted; absent: it is a GET. */
  readonly body?: string
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

const SUCCESSES = new Set([200, 201])
const FORBIDDEN = 403
const NOT_FOUND = 404
const JSON_LIMIT_BYTES = 4 * 1024 * 1024

/** The watchdog is over afterwards. Throws `ApiFailure`, or what the connection threw. */
export async function readAnswer(
  connection: ClusterConnection,
  { path, accept, body: posted, rule, reasonMs }: ApiRequest,
  dog: Watchdog,
  counts: RequestCounts,
  onChunk: (chunk: Buffer) => void,
  onBegin: (answer: ApiResponse) => void = () => {},
): Promise<void> {
  try {
    counts.requests++
    const answer =
      posted === undefined
        ? await connection.get(path, accept, dog.signal)
        : await connection.post(path, posted, dog.signal)
    const { status, body, retryAfterMs } = answer
    if (!SUCCESSES.has(status)) {
      dog.within(reasonMs, `HTTP status ${status}`)
      const text = await beginningOf(body)
      counts.bytes += text.length
      const message = statusMessage(parsedJson(text) ?? text, status)
      throw new ApiFailure(status, message, { retryAfterMs, ...(status === FORBIDDEN && { missingRule: rule }) })
    }
    onBegin(answer)
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

/** An answer that is one short JSON value, within `reasonMs`. Throws `ApiFailure`, or what the connection threw. */
export async function readJson(
  connection: ClusterConnection,
  request: ApiRequest,
  closing: AbortSignal,
  counts: RequestCounts,
): Promise<unknown> {
  const dog = new Watchdog(closing)
  dog.within(request.reasonMs, `no whole answer within ${request.reasonMs / 1000} s`)
  const parts: Buffer[] = []
  let bytes = 0
  await readAnswer(connection, request, dog, counts, chunk => {
    bytes += chunk.length
    if (bytes > JSON_LIMIT_BYTES) throw new ApiFailure(NOT_FOUND, 'an answer was too long')
    parts.push(chunk)
  })
  const value = parsedJson(Buffer.concat(parts).toString())
  if (value === undefined) throw new ApiFailure(0, 'what came is not JSON')
  return value
}
