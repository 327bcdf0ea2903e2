// Waits until nothing moves any more.
import type { Clock } from '../host/clock.ts'
import type { FlowBatch } from './flow-batch.ts'

const QUIET_READINGS = 3
const QUIET_APART_MS = 50

/** Drains until neither devices nor we count anything new in three readings. false: the time was over before. */
export async function quiesce(
  drain: () => Promise<FlowBatch | undefined>,
  clock: Clock,
  timeoutMs: number,
): Promise<boolean> {
  const endMs = clock.monotonicMs() + timeoutMs
  let before = ''
  for (let same = 0; same < QUIET_READINGS; ) {
    if (clock.monotonicMs() > endMs) return false
    const batch = await drain()
    const now = batch ? counterText(batch) : ''
    same = now === before ? same + 1 : 0
    before = now
    await new Promise(resolve => setTimeout(resolve, QUIET_APART_MS))
  }
  return true
}

function counterText({ interfaces }: FlowBatch): string {
  return [interfaces.fromPod, interfaces.toPod].map(({ devicePackets, skbs }) => `${devicePackets}/${skbs}`).join(' ')
}
