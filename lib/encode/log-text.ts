// Log records for people, on a terminal.
import type { LogRecord } from '../signals/log-record.ts'
import { attributesText, textBody, timeText, type Verbosity } from './attribute-text.ts'
import type { EncodedRequest, EventEncoder } from './encoded-request.ts'
import { printable } from './printable.ts'

export class LogTextEncoder implements EventEncoder<LogRecord> {
  readonly #verbosity: Verbosity

  constructor(verbosity: Verbosity) {
    this.#verbosity = verbosity
  }

  encode(records: readonly LogRecord[]): EncodedRequest[] {
    const last = records.at(-1)
    if (!last) return []
    const lines =
      this.#verbosity === 'basic'
        ? [`${timeText(last.timeMs)} log records: ${records.length}`]
        : records.flatMap(this.#verbosity === 'normal' ? recordLine : recordLines)
    return [{ signal: 'logs', body: textBody(lines), items: records.length }]
  }
}

function recordLine({ timeMs, severity, eventName, body, base, more }: LogRecord): string {
  const said = body === undefined ? '' : ` ${printable(body)}`
  return `${timeText(timeMs)} ${severity} ${printable(eventName)}${said} ${attributesText(base, more)}`
}

function recordLines(record: LogRecord): string[] {
  const { observedMs, traceId, spanId, resource } = record
  const trace = traceId === undefined ? '' : ` trace=${traceId} span=${spanId ?? ''}`
  return [
    recordLine(record),
    `  observed=${timeText(observedMs)}${trace}`,
    `  resource ${attributesText(resource.set)}`,
  ]
}
