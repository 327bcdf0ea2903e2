// podweir detach: what killed agents, and those that were told to keep everything, have left on this machine.
import { detachAll } from '../capture/native-probe.ts'
import { claimNode } from '../host/only-agent.ts'
import { podweirVersion } from '../host/version.ts'
import { Ending } from './ending.ts'

export interface DetachOptions {
  readonly pins: string
  readonly purge: boolean
  /** Until a signal comes: whoever restarts what ends is to start nothing. */
  readonly stay: boolean
}

export async function run({ pins, purge, stay }: DetachOptions): Promise<number> {
  const ending = stay ? new Ending() : undefined
  // What a running agent has is its own: it takes it off when it stops.
  const claim = await claimNode(podweirVersion())
  const { links, maps, filters, qdiscs, emptyClsacts } = detachAll(pins, purge)
  if (!stay) claim.close()
  const removed = [
    count(links, 'tcx link'),
    count(filters, 'clsact filter'),
    count(qdiscs, 'clsact qdisc'),
    count(maps, 'pinned map'),
  ].filter(text => text !== '')
  process.stdout.write(removed.length > 0 ? `removed ${removed.join(', ')}\n` : 'there was nothing to remove\n')
  for (const device of emptyClsacts)
    process.stdout.write(
      `left a clsact without filters on ${device}: it may be another program’s; --purge removes it\n`,
    )
  if (!ending) return 0
  process.stdout.write('staying, so that no agent starts here; ends by a signal\n')
  // A signal alone keeps no process alive.
  const waiting = setInterval(() => {}, 2 ** 30)
  await ending.signalled
  clearInterval(waiting)
  claim.close()
  return 0
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `${number} ${what}${number === 1 ? '' : 's'}`
}
