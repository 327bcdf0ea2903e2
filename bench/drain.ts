// Milliseconds to take the counts out of the kernel: our drain, from call to columns, beside the system calls for it.
import { NativeProbeSource } from '../lib/capture/native-probe.ts'
import { fillFlows, timeHashDrain } from '../test/support/kernel.ts'
import { Namespaces } from '../test/support/namespaces.ts'
import { udp } from '../test/support/packet.ts'
import { allAfter } from '../test/support/retire-times.ts'
import { benchOptions, interleave, type Limit, publish, type Result, resultOf } from './report.ts'

const SIZES = [
  { name: '10 k flows', flows: 10_000 },
  { name: '100 k flows', flows: 100_000 },
]
const FLOW_LIMIT = 131_072
/** Of the flows, in the row `some moved`. */
const SOME = 0.05
const SEED = 1
const PACKET = udp({ from: '10.0.0.2', to: '11.0.0.1', sourcePort: 1, destinationPort: 80 })
const LIMITS: Limit[] = [{ ratio: 'batch lookup and delete / podweir, 100 k flows', least: 5 }]

/** The whole promise: the reading on its thread, device counters, and the columns on ours. */
async function timeDrain(source: NativeProbeSource, rows: number): Promise<number> {
  const before = performance.now()
  const batch = await source.drain()
  const took = performance.now() - before
  if (batch.flows.length !== rows) throw new Error(`${batch.flows.length} rows instead of ${rows}`)
  return took
}

const options = benchOptions({ full: 15, quick: 3 })
const namespaces = new Namespaces('pwbench')
const results: Record<string, Result> = {}
const ratios: Record<string, number> = {}
try {
  const { a } = await namespaces.createPair()
  for (const { name, flows } of SIZES) {
    const source = await NativeProbeSource.open({ flowLimit: FLOW_LIMIT, retire: allAfter(3_600_000), auditEvery: 0 })
    await source.attach({ netns: a.path, device: 'eth0', place: 'pod', hook: 'auto' })
    const { programs } = await source.inspect()
    const program = programs.find(({ name }) => name.startsWith('podweir_out'))!.id
    const move = (count: number) => fillFlows(program, PACKET, count, SEED)
    move(flows)
    await source.drain()
    const samples = await interleave(options.rounds, {
      'podweir, all moved': () => {
        move(flows)
        return timeDrain(source, flows)
      },
      'podweir, 5 % moved': () => {
        move(flows * SOME)
        return timeDrain(source, flows * SOME)
      },
      'batch lookup and delete': () => timeHashDrain(flows, 'batch'),
      'next key, lookup, delete': () => timeHashDrain(flows, 'next-key'),
    })
    await source.close()
    for (const [variant, values] of Object.entries(samples)) results[`${variant}, ${name}`] = resultOf(values)
    // By minima: our promise passes from thread to thread, and on a busy machine it waits for a CPU each time.
    const ours = resultOf(samples['podweir, all moved']!)
    for (const variant of ['batch lookup and delete', 'next key, lookup, delete'])
      ratios[`${variant} / podweir, ${name}`] = resultOf(samples[variant]!).min / ours.min
  }
  publish({ name: 'drain', unit: 'ms', rounds: options.rounds, results, ratios }, LIMITS, options)
} finally {
  await namespaces.remove()
}
