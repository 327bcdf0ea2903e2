// The only logger: pino to stderr, so that stdout carries data alone. A terminal gets plain lines, everyone else JSON.
import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { systemClock } from './clock.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
export type Log = Logger

const marks: Readonly<Record<string, string>> = { warn: '! ', error: '✖ ', fatal: '✖ ' }

/** Synchronous, so that the last line before an exit is not lost. */
export function createLog(level: LogLevel = 'info'): Log {
  const timestamp = () => `,"time":"${new Date(systemClock.nowMs()).toISOString()}"`
  const formatters = { level: (label: string) => ({ level: label }) }
  const lines = destination({ fd: 2, sync: true })
  return pino({ level, base: null, timestamp, formatters }, process.stderr.isTTY ? plainLines(lines) : lines)
}

function plainLines(lines: DestinationStream): DestinationStream {
  return {
    write(text) {
      const { level, msg } = JSON.parse(text) as { level: string; msg?: string }
      lines.write(`${marks[level] ?? ''}${msg ?? ''}\n`)
    },
  }
}
