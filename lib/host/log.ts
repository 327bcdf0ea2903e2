// The only logger: pino to stderr, so that stdout carries data alone.
import { destination, type Logger, pino } from 'pino'
import { systemClock } from './clock.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
export type Log = Logger

/** Synchronous, so that the last line before an exit is not lost. */
export function createLog(level: LogLevel = 'info'): Log {
  const timestamp = () => `,"time":"${new Date(systemClock.nowMs()).toISOString()}"`
  return pino({ level, base: null, timestamp }, destination({ fd: 2, sync: true }))
}
