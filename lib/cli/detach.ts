// podweir detach: what killed agents, and those that were told to keep everything, have left on this machine.
import { detachAll } from '../capture/native-probe.ts'
import { claimNode } from '../host/only-agent.ts'
import { podweirVersion } from '../host/version.ts'

export interface DetachOptions {
  readonly pins: string
  readonly purge: boolean
}

export async function run({ pins, purge }: DetachOptions): Promise<number> {
  // What a running agent has is its own: it takes it off when it stops.
  const claim = await claimNode(podweirVersion())
  const { links, maps, filters, qdiscs, emptyClsacts } = detachAll(pins, purge)
  claim.close()
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
  return 0
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `${number} ${what}${number === 1 ? '' : 's'}`
}
