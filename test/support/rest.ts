// Waits for the moment from which on no packet moves: only then may a counter be compared with another one.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { quiesce } from './counters.ts'

const POLL_MS = 5
const LIMIT_MS = 10_000
/** Column of /proc/net/softnet_stat: packets that wait on this CPU. */
const BACKLOG = 11

/**
 * A veth pair counts a packet when the sender hands it over, before the receiver's programs see it. On a CPU that is
 * kept from running it waits there for as long, and no device counter shows it.
 */
export async function comeToRest(netns: readonly string[]): Promise<void> {
  await quiesce(netns)
  await backlogsEmptied()
  await quiesce(netns)
}

/** Resolves when each CPU has been seen without waiting packets. */
async function backlogsEmptied(): Promise<void> {
  let waiting = backlogs().map((_, cpu) => cpu)
  for (let waitedMs = 0; waiting.length > 0; waitedMs += POLL_MS) {
    if (waitedMs > LIMIT_MS) throw new Error(`packets have waited on CPU ${waiting.join(', ')} for ${LIMIT_MS} ms`)
    const now = backlogs()
    waiting = waiting.filter(cpu => now[cpu] !== 0)
    if (waiting.length > 0) await sleep(POLL_MS)
  }
}

function backlogs(): number[] {
  const lines = readFileSync('/proc/net/softnet_stat', 'utf8').trimEnd().split('\n')
  return lines.map(line => Number.parseInt(line.split(' ')[BACKLOG]!, 16))
}
