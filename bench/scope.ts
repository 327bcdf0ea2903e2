// What a packet costs that is left out, beside one of a known flow with and without rules; net of an empty program.
import type { PacketScope } from '../lib/capture/packet-scope.ts'
import { CountedInterface } from '../test/ebpf/counted-interface.ts'
import { KernelObject, testRun } from '../test/support/kernel.ts'
import { Namespaces } from '../test/support/namespaces.ts'
import { udp } from '../test/support/packet.ts'
import { type FewRules, packetScopeOf } from '../test/support/scope.ts'
import { benchOptions, publish, type Result } from './report.ts'
import { Samples } from './samples.ts'

const RUNS = 100_000
const BLOCKS = 1_000
const packets = {
  IPv4: udp({ from: '10.0.0.1', to: '10.9.0.2', sourcePort: 40_000, destinationPort: 53, payload: 22 }),
  IPv6: udp({ from: 'fd00::1', to: 'fd09::2', sourcePort: 40_000, destinationPort: 53, payload: 22 }),
}
type Family = keyof typeof packets

/** As long as an inventory of a cluster's blocks is. */
const otherBlocks = Array.from({ length: BLOCKS }, (_, i) => `172.${16 + (i >> 8)}.${i & 255}.0/24`)
const rules: Record<string, FewRules> = {
  'in scope, with rules of every kind': {
    exclude: { namespaces: ['other'], cidrs: otherBlocks, ports: ['7'] },
  },
  'left out by its port': { exclude: { ports: ['53'] } },
  'left out by its address, one of 1,000 blocks': {
    exclude: { cidrs: [...otherBlocks.slice(2), '10.9.0.0/16', 'fd09::/32'] },
  },
  'left out by its interface': { exclude: { namespaces: ['this'] } },
}

async function measure(netns: string, scope: PacketScope | undefined, family: Family, isOut: boolean): Promise<number> {
  const counted = await CountedInterface.open(netns, scope && { scope })
  try {
    if (isOut) await counted.source.setOutOfScope(counted.interfaceSlot, true)
    counted.send(packets[family], { repeat: RUNS })
    return counted.send(packets[family], { repeat: RUNS }).nanoseconds
  } finally {
    await counted.close()
  }
}

const options = benchOptions({ full: 20, quick: 4 })
const namespaces = new Namespaces('pwbench')
const nothing = new KernelObject('vary')
try {
  const { a } = await namespaces.createPair()
  const measured: Record<Family, Samples> = { IPv4: new Samples(), IPv6: new Samples() }
  for (let round = 0; round < options.rounds; round++)
    for (const family of Object.keys(packets) as Family[]) {
      const into = measured[family]
      into.add('empty', testRun(nothing.programs.empty!, packets[family], { repeat: RUNS }).nanoseconds)
      into.add('in scope, without rules', await measure(a.path, undefined, family, false))
      for (const [name, rule] of Object.entries(rules))
        into.add(name, await measure(a.path, packetScopeOf(rule), family, name.endsWith('interface')))
    }
  const results: Record<string, Result> = {}
  for (const [family, samples] of Object.entries(measured))
    for (const variant of samples.variants)
      if (variant !== 'empty') results[`${family}, ${variant}`] = samples.net(variant)
  publish({ name: 'scope', unit: 'ns per packet', rounds: options.rounds, results, ratios: {} }, [], options)
} finally {
  nothing.close()
  await namespaces.remove()
}
