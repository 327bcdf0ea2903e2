// Says in words why a receiver of line protocol did not take a request, whether it may be sent again, and how much of it was
// taken all the same.
import type { InfluxExporterConfig } from '../config/influx-exporter.ts'
import type { HttpResponse } from './http-connection.ts'
import { retryAfterMs } from './retry-after.ts'
import { SendFailure } from './send-failure.ts'

/** InfluxDB answers 500 when it is overloaded; what is wrong with a request has other statuses. */
const retryableStatuses: ReadonlySet<number> = new Set([429, 500, 502, 503, 504])

export interface PartialWrite {
  readonly rejected: number
  readonly message: string
}

export interface InfluxAnswer {
  readonly version: InfluxExporterConfig['version']
  /** For messages; without secrets. */
  readonly url: string
  readonly response: HttpResponse
  readonly nowMs: number
}

/** The lines that are not named were written. undefined: nothing was. */
export function partialWrite({ response }: InfluxAnswer): PartialWrite | undefined {
  if (response.status !== 400 && response.status !== 422) return undefined
  const message = saidIn(response)
  if (!/partial write/i.test(message)) return undefined
  const dropped = Number(/dropped=(\d+)/.exec(message)?.[1] ?? 0)
  const unreadable = message.match(/unable to parse '/g)?.length ?? 0
  return { rejected: Math.max(1, dropped + unreadable, linesNamed(response)), message }
}

export function influxFailure({ version, url, response, nowMs }: InfluxAnswer): SendFailure {
  const { status, headers } = response
  const why = `${url} ${reason(version, response)}`
  if (!retryableStatuses.has(status)) return new SendFailure('refused', why)
  return new SendFailure('retry', why, retryAfterMs(headers['retry-after'], headers.date, nowMs))
}

function reason(version: InfluxExporterConfig['version'], response: HttpResponse): string {
  const { status, headers } = response
  const text = saidIn(response)
  const said = text === '' ? '' : `: ${text}`
  if (status >= 300 && status < 400) {
    const place = headers.location ?? 'it does not say where'
    return `answered ${status}, that it is elsewhere: ${place}; write that as the endpoint`
  }
  switch (status) {
    case 401:
    case 403:
      return `did not let us in (${status})${said}; check ${version === 'v1' ? 'username and password' : 'token and headers'}`
    case 404:
      return `has no such place (404)${said}; check ${places[version]}, and whether the version is ${version}`
    case 405:
      return `does not take lines there (405)${said}; check endpoint and version`
    case 413:
      return `has no room for the request (413)${said}`
    default:
      return `answered ${status}${said}`
  }
}

const places: Readonly<Record<InfluxExporterConfig['version'], string>> = {
  v1: 'database (nobody makes it by writing to it) and endpoint',
  v2: 'org, bucket and endpoint',
  v3: 'database and endpoint',
  none: 'endpoint',
}

/** InfluxDB 1 and 3 say `error`, 2 says `message`; who stands before them says it in plain text. */
function saidIn({ headers, body, statusMessage }: HttpResponse): string {
  const text = body?.toString('utf8').trim() ?? ''
  if (text === '') return statusMessage
  const { error, message } = fieldsIn(text)
  if (typeof error === 'string') return error
  if (typeof message === 'string') return message
  return headers['content-type']?.startsWith('text/html') ? statusMessage : text
}

/** InfluxDB 3 names each line that it did not take. */
function linesNamed({ body }: HttpResponse): number {
  const { data } = fieldsIn(body?.toString('utf8') ?? '')
  return Array.isArray(data) ? data.length : 0
}

function fieldsIn(text: string): { error?: unknown; message?: unknown; data?: unknown } {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}
