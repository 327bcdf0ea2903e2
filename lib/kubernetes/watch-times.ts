// How patient the watches are, ms.
import { BACK_OFF, type BackOffTimes } from './back-off.ts'

export interface WatchTimes {
  readonly backOff: BackOffTimes
  /** After an attempt that was forbidden: somebody has to change something first. */
  readonly forbiddenMs: number
  /** A watch that lived that long begins the back-off anew. */
  readonly livedMs: number
  /** A watch without an event that lived that long works. */
  readonly worksMs: number
  /** Without a byte while a list is being sent, also that at the beginning of a watch. */
  readonly stalledMs: number
  /** For the body of an answer that is no success. */
  readonly reasonMs: number
  /** What the server is asked for: it ends a watch between the two. */
  readonly watchMs: readonly [least: number, most: number]
  /** The same over HTTP/1.1, where nothing else would find a connection that has died. */
  readonly watchWithoutPingsMs: readonly [least: number, most: number]
  /** How much later the end may come. */
  readonly overdueMs: number
  /** Until WatchList is tried again at a server that has it not. */
  readonly listingMs: number
}

export const WATCH_TIMES: WatchTimes = {
  backOff: BACK_OFF,
  forbiddenMs: 60_000,
  livedMs: 20_000,
  worksMs: 3_000,
  stalledMs: 30_000,
  reasonMs: 5_000,
  watchMs: [240_000, 480_000],
  watchWithoutPingsMs: [35_000, 45_000],
  overdueMs: 10_000,
  listingMs: 3_600_000,
}
