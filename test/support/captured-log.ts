// A log whose lines a test can look at.
import { pino } from 'pino'
import type { Log } from '../../lib/host/log.ts'

export interface CapturedLog {
  readonly log: Log
  readonly messages: string[]
}

export function capturedLog(): CapturedLog {
  const messages: string[] = []
  const write = (line: string) => void messages.push((JSON.parse(line) as { msg: string }).msg)
  return { log: pino({ base: null }, { write }), messages }
}
