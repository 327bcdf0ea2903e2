// What Wireshark makes of the packets of one device: captured by dumpcap, read by tshark, row by row.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { runCommand } from '../../lib/demo/command.ts'
import type { TestNamespace } from './namespaces.ts'
import { until } from './until.ts'

/** Enough for the headers of anything here. */
const SNAP_BYTES = 128
const REMEDY = 'install the package tshark'

/** A TCP packet. */
export interface TsharkRow {
  readonly frame: number
  /** Since 1970. */
  readonly seconds: number
  readonly stream: number
  /** Address and port. */
  readonly source: string
  readonly destination: string
  /** As in the header: 1 FIN, 2 SYN, 4 RST, 16 ACK. */
  readonly flags: number
  readonly sequence: number
  readonly payloadBytes: number
  readonly acknowledgment: number
  readonly window: number
  /** `tcp.analysis.acks_frame` and `ack_rtt`: of a packet that acknowledges the end of that frame. */
  readonly acksFrame?: number
  readonly ackRttSeconds?: number
  /** From the SYN to the ACK of the SYN-ACK. */
  readonly initialRttSeconds?: number
  /** Names behind `tcp.analysis.` that the packet was given. */
  readonly marks: ReadonlySet<string>
}

const MARKS = [
  'retransmission',
  'fast_retransmission',
  'spurious_retransmission',
  'out_of_order',
  'lost_segment',
  'duplicate_ack',
  'zero_window',
  'zero_window_probe',
  'window_full',
  'keep_alive',
] as const
const NUMBERS = [
  'frame.number',
  'frame.time_epoch',
  'tcp.stream',
  'tcp.flags',
  'tcp.seq_raw',
  'tcp.len',
  'tcp.ack_raw',
  'tcp.window_size_value',
  'tcp.analysis.acks_frame',
  'tcp.analysis.ack_rtt',
  'tcp.analysis.initial_rtt',
] as const
const ENDS = ['ip.src', 'ipv6.src', 'tcp.srcport', 'ip.dst', 'ipv6.dst', 'tcp.dstport']
const FIELDS = [...NUMBERS, ...ENDS, ...MARKS.map(mark => `tcp.analysis.${mark}`)]

export function hasTshark(): boolean {
  return spawnSync('tshark', ['--version'], { stdio: 'ignore' }).status === 0
}

export class Capture {
  readonly #file: string
  readonly #child: ChildProcess
  #said = ''

  private constructor(child: ChildProcess, file: string) {
    this.#file = file
    this.#child = child
    child.stderr!.on('data', text => {
      this.#said += text
    })
  }

  /** Resolves when it captures. `folder` takes its file; packets that moved before are not in it. */
  static async start(namespace: TestNamespace, folder: string, device = 'eth0'): Promise<Capture> {
    const file = join(folder, `${namespace.name}.pcapng`)
    const dumpcap = ['dumpcap', '-i', device, '-s', String(SNAP_BYTES), '-B', '64', '-w', file]
    const child = spawn('nsenter', [`--net=${namespace.path}`, ...dumpcap], { stdio: ['ignore', 'ignore', 'pipe'] })
    const capture = new Capture(child, file)
    await until(
      () => `dumpcap captures: ${capture.#said}`,
      () => capture.#said.includes('File: '),
    )
    return capture
  }

  /** Waits until it has as many packets as the device counted, and ends it. */
  async finish(packets: number): Promise<TsharkRow[]> {
    await until(
      () => `dumpcap has ${packets} packets: ${this.#said}`,
      () => Number([...this.#said.matchAll(/Packets: (\d+) /g)].at(-1)?.[1] ?? 0) >= packets,
    )
    await this.stop()
    return readCapture(this.#file)
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGINT')
    await exit
  }
}

/** A conversation as tshark tells it from others: a new one on the same ports is another. */
export interface TsharkStream {
  readonly protocol: 'tcp' | 'udp'
  /** Address and port of the sender of its first packet, and of the other. */
  readonly first: string
  readonly second: string
  /** By sender. */
  readonly packets: Record<string, number>
  readonly bytes: Record<string, number>
}

export async function readCapture(file: string): Promise<TsharkRow[]> {
  return (await readFields(file, 'tcp', FIELDS)).map(rowOf)
}

/** In the order of their first packets. */
export async function readStreams(file: string, protocol: 'tcp' | 'udp'): Promise<TsharkStream[]> {
  const ends = ['ip.src', 'ipv6.src', `${protocol}.srcport`, 'ip.dst', 'ipv6.dst', `${protocol}.dstport`]
  const streams = new Map<string, TsharkStream>()
  for (const line of await readFields(file, protocol, [`${protocol}.stream`, 'frame.len', ...ends])) {
    const [stream, bytes, ip4, ip6, port, toIp4, toIp6, toPort] = line.split(',') as [string, ...string[]]
    const [from, to] = [`${ip4 || ip6}:${port}`, `${toIp4 || toIp6}:${toPort}`]
    let known = streams.get(stream)
    if (!known) {
      const none = () => ({ [from]: 0, [to]: 0 })
      known = { protocol, first: from, second: to, packets: none(), bytes: none() }
      streams.set(stream, known)
    }
    known.packets[from]! += 1
    known.bytes[from]! += Number(bytes)
  }
  return [...streams.values()]
}

async function readFields(file: string, filter: string, fields: readonly string[]): Promise<string[]> {
  const asked = fields.flatMap(field => ['-e', field])
  const read = ['-r', file, '-Y', filter, '-T', 'fields', '-E', 'separator=,', '-E', 'occurrence=f', ...asked]
  const text = await runCommand('tshark', read, { remedy: REMEDY })
  return text.trimEnd().split('\n').filter(Boolean)
}

function rowOf(line: string): TsharkRow {
  const values = line.split(',')
  const text = (field: string) => values[FIELDS.indexOf(field)]!
  const number = (field: (typeof NUMBERS)[number]) => Number(text(field))
  const optional = (field: (typeof NUMBERS)[number]) => (text(field) === '' ? undefined : number(field))
  const [acksFrame, ackRttSeconds, initialRttSeconds] = [
    optional('tcp.analysis.acks_frame'),
    optional('tcp.analysis.ack_rtt'),
    optional('tcp.analysis.initial_rtt'),
  ]
  return {
    frame: number('frame.number'),
    seconds: number('frame.time_epoch'),
    stream: number('tcp.stream'),
    source: `${text('ip.src') || text('ipv6.src')}:${text('tcp.srcport')}`,
    destination: `${text('ip.dst') || text('ipv6.dst')}:${text('tcp.dstport')}`,
    flags: number('tcp.flags'),
    sequence: number('tcp.seq_raw'),
    payloadBytes: number('tcp.len'),
    acknowledgment: number('tcp.ack_raw'),
    window: number('tcp.window_size_value'),
    ...(acksFrame !== undefined && { acksFrame }),
    ...(ackRttSeconds !== undefined && { ackRttSeconds }),
    ...(initialRttSeconds !== undefined && { initialRttSeconds }),
    marks: new Set(MARKS.filter(mark => text(`tcp.analysis.${mark}`) !== '')),
  }
}
