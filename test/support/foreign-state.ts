// Everything that hangs on the devices of some namespaces, as the kernel lists it: qdiscs, filters, tcx chains, XDP.
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../../lib/demo/command.ts'
import { tcxPrograms } from './kernel.ts'
import { filters } from './traffic-control.ts'

const REMEDY = 'run as root, with iproute2 installed'

interface ListedLink {
  readonly ifname: string
  readonly mtu: number
  readonly master?: string
  readonly xdp?: { readonly prog?: { readonly id: number } }
}

/** One line each, sorted. A namespace is a name under /run/netns, or undefined for the process's own: then of the named devices alone. */
export async function stateOf(namespaces: readonly string[], hostDevices: readonly string[]): Promise<string[]> {
  const inside = await Promise.all(namespaces.map(netns => stateIn(netns)))
  return [...inside.flat(), ...(await stateIn(undefined, hostDevices))].sort()
}

async function stateIn(netns: string | undefined, only?: readonly string[]): Promise<string[]> {
  const enter = netns === undefined ? [] : ['-netns', netns]
  const place = netns ?? 'host'
  const links = (await listed<ListedLink>('ip', [...enter, '-json', 'link', 'show'])).filter(
    ({ ifname }) => only?.includes(ifname) ?? true,
  )
  const qdiscs = await listed<{ kind: string; dev: string; handle: string }>('tc', [...enter, '-json', 'qdisc', 'show'])
  const names = new Set(links.map(({ ifname }) => ifname))
  const lines = [
    ...links.map(
      ({ ifname, mtu, master, xdp }) => `${place} ${ifname} ${mtu} ${master ?? ''} xdp ${xdp?.prog?.id ?? 0}`,
    ),
    ...qdiscs
      .filter(({ dev }) => names.has(dev))
      .map(({ dev, kind, handle }) => `${place} ${dev} qdisc ${kind} ${handle}`),
  ]
  for (const { ifname } of links) {
    for (const filter of await filters(ifname, netns)) lines.push(`${place} ${ifname} filter ${JSON.stringify(filter)}`)
    for (const direction of ['ingress', 'egress'] as const) {
      const chain = tcxPrograms({
        ...(netns !== undefined && { netns: `/run/netns/${netns}` }),
        device: ifname,
        direction,
      })
      lines.push(`${place} ${ifname} tcx ${direction} ${chain.join(' ')}`)
    }
  }
  return lines
}

async function listed<Row>(file: string, args: readonly string[]): Promise<Row[]> {
  const text = await runCommand(file, args, { remedy: REMEDY })
  return text.trim() === '' ? [] : (JSON.parse(text) as Row[])
}

const IPROUTE_PINS = '/sys/fs/bpf/tc'

/** `ip link set xdp` makes folders of its own in the BPF file system. Gives what removes those that were not there. */
export function iproutePins(): () => void {
  const wasThere = existsSync(IPROUTE_PINS)
  return () => {
    if (wasThere || !existsSync(IPROUTE_PINS)) return
    for (const link of ['ip', 'xdp']) rmSync(join(dirname(IPROUTE_PINS), link), { force: true })
    for (const folder of readdirSync(IPROUTE_PINS)) rmdirSync(join(IPROUTE_PINS, folder))
    rmdirSync(IPROUTE_PINS)
  }
}
