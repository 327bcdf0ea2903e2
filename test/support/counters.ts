// What the kernel itself counted in a network namespace: truth that owes nothing to our programs.
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../../lib/demo/command.ts'

export interface DeviceCounters {
  readonly receivePackets: number
  readonly receiveBytes: number
  readonly receiveDropped: number
  readonly transmitPackets: number
  readonly transmitBytes: number
  readonly transmitDropped: number
}

const QUIET_READINGS = 3
const READING_INTERVAL_MS = 50

/** A file of /proc/net as the namespace sees it; `undefined` is the process's own namespace. */
export function readProcNet(file: string, netns: string | undefined): Promise<string> {
  const remedy = 'run as root'
  if (netns === undefined) return runCommand('cat', [`/proc/net/${file}`], { remedy })
  return runCommand('nsenter', [`--net=/run/netns/${netns}`, 'cat', `/proc/net/${file}`], { remedy })
}

/** By device name, from /proc/net/dev. */
export async function readDeviceCounters(netns?: string): Promise<Record<string, DeviceCounters>> {
  const counters: Record<string, DeviceCounters> = {}
  for (const line of (await readProcNet('dev', netns)).split('\n').slice(2)) {
    const [device, numbers] = line.split(':')
    if (numbers === undefined) continue
    const values = numbers.trim().split(/\s+/).map(Number)
    counters[device!.trim()] = {
      receiveBytes: values[0]!,
      receivePackets: values[1]!,
      receiveDropped: values[3]!,
      transmitBytes: values[8]!,
      transmitPackets: values[9]!,
      transmitDropped: values[11]!,
    }
  }
  return counters
}

/** The figures of nstat by its names: `TcpOutSegs`, `TcpExtTCPSynRetrans`, `UdpInDatagrams`, `Udp6OutDatagrams`, `Icmp6InMsgs`. */
export async function readProtocolCounters(netns?: string): Promise<Record<string, number>> {
  const counters: Record<string, number> = {}
  const tables = await Promise.all([readProcNet('snmp', netns), readProcNet('netstat', netns)])
  for (const table of tables) {
    const lines = table.trimEnd().split('\n')
    for (let i = 0; i + 1 < lines.length; i += 2) {
      const [protocol, ...names] = lines[i]!.split(' ')
      const values = lines[i + 1]!.split(' ').slice(1)
      for (const [column, name] of names.entries()) counters[protocol!.slice(0, -1) + name] = Number(values[column])
    }
  }
  for (const line of (await readProcNet('snmp6', netns)).trimEnd().split('\n')) {
    const [name, value] = line.split(/\s+/)
    if (name) counters[name] = Number(value)
  }
  return counters
}

/**
 * TCP packets that a namespace's end put on the wire, provided that nothing was dropped locally. SYN-ACK retransmissions
 * are in TcpOutSegs and in TcpRetransSegs, so this holds for a namespace that only serves or only connects.
 */
export function tcpPacketsSent(counters: Record<string, number>, role: 'client' | 'server'): number {
  const twice = role === 'server' ? counters.TcpExtTCPSynRetrans! : 0
  return counters.TcpOutSegs! + counters.TcpRetransSegs! - twice
}

/** Waits until no device of these namespaces counts any more. Fails after `limitMs`. */
export async function quiesce(netns: readonly string[], limitMs = 20_000): Promise<void> {
  let before = ''
  let equal = 0
  for (let waitedMs = 0; waitedMs < limitMs; waitedMs += READING_INTERVAL_MS) {
    const now = JSON.stringify(await Promise.all(netns.map(readDeviceCounters)))
    equal = now === before ? equal + 1 : 1
    if (equal === QUIET_READINGS) return
    before = now
    await sleep(READING_INTERVAL_MS)
  }
  throw new Error(`devices of ${netns.join(', ')} still count after ${limitMs} ms`)
}
