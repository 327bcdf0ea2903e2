// How the Influx line protocol writes names, values and times. What it has no way to write is left out here: a receiver
// would refuse the line, or the request with it.

import { isInt64 } from './attribute-bytes.ts'
import { integerJson } from './attribute-json.ts'

/** The protocol ends a line there, whatever stands before it. */
const lineBreaks = /[\r\n]+/g
/** It would escape what comes behind the name. */
const lastBackslashes = /\\+$/

export function measurementText(name: string): string {
  return oneLine(name).replace(/[, ]/g, '\\$&')
}

/** A key or a value of a tag, or the key of a field; empty: there is no way to write it. */
export function tagText(text: string): string {
  return oneLine(text).replace(/[,= ]/g, '\\$&')
}

/** undefined: it is no number that a field can have. */
export function integerText(value: number): string | undefined {
  return isInt64(value) ? `${integerJson(value)}i` : floatText(value)
}

export function floatText(value: number): string | undefined {
  return Number.isFinite(value) ? String(value) : undefined
}

/** Nanoseconds. `ms`: since 1970, with fractions. */
export function nanosecondsText(ms: number): string {
  const whole = Math.floor(ms)
  return `${whole}${String(Math.floor((ms - whole) * 1e6)).padStart(6, '0')}`
}

function oneLine(text: string): string {
  return text.toWellFormed().replace(lineBreaks, ' ').replace(lastBackslashes, '')
}
