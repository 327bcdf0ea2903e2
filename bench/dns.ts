// What the module "dns" costs: ns of the kernel programs for a DNS message and for every other packet, with and without
// it, net of an empty program; and what a message costs the agent that reads it.
import { LookupTable } from '../lib/aggregate/lookup-table.ts'
import type { DnsBatch } from '../lib/capture/dns-source.ts'
import { DnsLookups } from '../lib/enrich/dns-lookups.ts'
import { DnsNames } from '../lib/enrich/dns-names.ts'
import { CountedInterface } from '../test/ebpf/counted-interface.ts'
import { answer, dnsBatch, dnsMessage, query } from '../test/support/dns.ts'
import { KernelObject, testRun } from '../test/support/kernel.ts'
import { Namespaces } from '../test/support/namespaces.ts'
import { tcp, udp } from '../test/support/packet.ts'
import { benchOptions, type Limit, publish, type Result, resultOf } from './report.ts'
import { Samples } from './samples.ts'

const RUNS = 100_000
/** So many that none is lost: a quarter of the ring is one interface's. */
const TOLD_RUNS = 400
const MESSAGES = 20_000
const LIMITS: Limit[] = [{ ratio: 'a packet of another port, IPv4, with / without', most: 1.25 }]

const asked = dnsMessage({ name: 'api.stripe.example' })
const answered = dnsMessage({ name: 'api.stripe.example', answers: [{ type: 'A', data: '203.0.113.7' }] })
const other = { sourcePort: 40_000, destinationPort: 443, payload: 22 }
const packets: Record<string, Uint8Array> = {
  'a packet of another port, IPv4': udp({ from: '10.0.0.1', to: '10.9.0.2', ...other }),
  'a packet of another port, IPv6': udp({ from: 'fd00::1', to: 'fd09::2', ...other }),
  'a TCP packet of another port, IPv4': tcp({ from: '10.0.0.1', to: '10.9.0.2', ...other, flags: 'A' }),
  'a DNS query that is told, IPv4': udp({
    ...{ from: '10.0.0.1', to: '10.9.0.2', sourcePort: 40_000, destinationPort: 53 },
    payload: asked,
  }),
}
const isTold = (packet: string) => packet.includes('told')

async function measure(netns: string, dns: boolean, packet: string): Promise<number> {
  const counted = await CountedInterface.open(netns, dns ? { dns } : {})
  try {
    const repeat = isTold(packet) ? TOLD_RUNS : RUNS
    counted.send(packets[packet]!, { repeat })
    if (dns) await (await counted.source.openDns()).read()
    return counted.send(packets[packet]!, { repeat }).nanoseconds
  } finally {
    await counted.close()
  }
}

/** ns of one message: half of them queries, half their answers. */
function read(batch: DnsBatch): number {
  const lookups = new DnsLookups({ names: new DnsNames(), table: new LookupTable(), ended: () => {} })
  const before = performance.now()
  lookups.apply(batch, 0)
  return ((performance.now() - before) * 1e6) / batch.length
}

const options = benchOptions({ full: 20, quick: 4 })
const namespaces = new Namespaces('pwbench')
const nothing = new KernelObject('vary')
try {
  const { a } = await namespaces.createPair()
  const measured = Object.fromEntries(Object.keys(packets).map(name => [name, new Samples()]))
  const reading: number[] = []
  const batch = dnsBatch(
    Array.from({ length: MESSAGES / 2 }, (_, id) => [
      query({ id, name: 'api.stripe.example' }),
      { ...answer(), bytes: Buffer.concat([Buffer.of(id >> 8, id & 255), answered.subarray(2)]) },
    ]).flat(),
  )
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, packet] of Object.entries(packets)) {
      const repeat = isTold(name) ? TOLD_RUNS : RUNS
      const samples = measured[name]!
      // Twice, as the others: the first one warms the caches.
      testRun(nothing.programs.empty!, packet, { repeat })
      samples.add('empty', testRun(nothing.programs.empty!, packet, { repeat }).nanoseconds)
      samples.add('without', await measure(a.path, false, name))
      samples.add('with', await measure(a.path, true, name))
    }
    reading.push(read(batch))
  }
  const results: Record<string, Result> = {}
  const ratios: Record<string, number> = {}
  for (const [name, samples] of Object.entries(measured)) {
    for (const variant of ['without', 'with']) results[`${name}, ${variant}`] = samples.net(variant)
    if (!isTold(name)) ratios[`${name}, with / without`] = samples.ratioOfMinima('with', 'without')
  }
  results['a message in the agent'] = resultOf(reading)
  publish({ name: 'dns', unit: 'ns', rounds: options.rounds, results, ratios }, LIMITS, options)
} finally {
  nothing.close()
  await namespaces.remove()
}
