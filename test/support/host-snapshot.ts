// Everything that Podweir, its demo or its tests could leave on a machine, one line each, to compare before and after.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { runCommand } from '../../lib/demo/command.ts'

const REMEDY = 'run as root, with iproute2 and bpftool installed'
const BPF_PINS = '/sys/fs/bpf'
/** A namespace's devices and a process's links go a moment after it. */
const SETTLE_ATTEMPTS = 40
const SETTLE_MS = 100

interface Qdisc {
  readonly kind: string
  readonly dev: string
  readonly handle: string
}

/** Entries such as `link pwd-cart eth0`, `program 17 podweir_dispatch`, `process 4711 podweir-traffic`. */
export async function snapshotHost(): Promise<string[]> {
  const netns = namespaceNames()
  const parts = await Promise.all([
    ...[undefined, ...netns].map(snapshotNamespace),
    listBpf('prog', 'program'),
    listBpf('link', 'bpf-link'),
  ])
  const pins = listPins(BPF_PINS).map(path => `pin ${path}`)
  return [...netns.map(name => `namespace ${name}`), ...parts.flat(), ...pins, ...listProcesses()].sort()
}

/** What is there now and was not before, and the other way round; waits a moment for an empty answer. */
export async function differencesSince(before: readonly string[], ignore?: RegExp): Promise<string[]> {
  let differences: string[] = []
  for (let attempt = 0; attempt < SETTLE_ATTEMPTS; attempt++) {
    const after = await snapshotHost()
    differences = compare(before, after).filter(line => !ignore?.test(line))
    if (differences.length === 0) return differences
    await sleep(SETTLE_MS)
  }
  return differences
}

function compare(before: readonly string[], after: readonly string[]): string[] {
  const was = new Set(before)
  const is = new Set(after)
  return [
    ...after.filter(line => !was.has(line)).map(line => `left: ${line}`),
    ...before.filter(line => !is.has(line)).map(line => `gone: ${line}`),
  ]
}

function namespaceNames(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns') : []
}

async function snapshotNamespace(netns: string | undefined): Promise<string[]> {
  const enter = netns === undefined ? [] : ['-netns', netns]
  const place = netns ?? 'host'
  try {
    const links = await listJson<{ ifname: string; master?: string }>('ip', [...enter, '-json', 'link', 'show'])
    const qdiscs = await listJson<Qdisc>('tc', [...enter, '-json', 'qdisc', 'show'])
    const hooked = qdiscs.filter(({ kind }) => kind === 'clsact' || kind === 'ingress').map(({ dev }) => dev)
    const filters = await Promise.all(hooked.map(dev => listFilters(enter, place, dev)))
    return [
      ...links.map(link => `link ${place} ${link.ifname} ${link.master ?? ''}`.trimEnd()),
      ...qdiscs.map(qdisc => `qdisc ${place} ${qdisc.dev} ${qdisc.kind} ${qdisc.handle}`),
      ...filters.flat(),
    ]
  } catch (error) {
    // Somebody else's namespace may go while we read.
    if (netns !== undefined && !existsSync(`/run/netns/${netns}`)) return []
    throw error
  }
}

async function listFilters(enter: readonly string[], place: string, dev: string): Promise<string[]> {
  const rows = await Promise.all(
    ['ingress', 'egress'].map(async direction => {
      const filters = await listJson<object>('tc', [...enter, '-json', 'filter', 'show', 'dev', dev, direction])
      return filters.map(filter => `filter ${place} ${dev} ${direction} ${JSON.stringify(filter)}`)
    }),
  )
  return rows.flat()
}

async function listBpf(object: 'prog' | 'link', word: string): Promise<string[]> {
  const rows = await listObjects(object)
  // systemd loads and unloads programs of its own for its units.
  const others = rows.filter(({ name }) => !name?.startsWith('sd_'))
  return others.map(({ id, name, type }) => `${word} ${id} ${name ?? type ?? ''}`)
}

async function listObjects(
  object: 'prog' | 'link',
  tries = 5,
): Promise<{ id: number; name?: string; type?: string }[]> {
  try {
    return await listJson('bpftool', ['--json', object, 'show'])
  } catch (error) {
    // It fails when an object goes while it lists.
    if (tries <= 1) throw error
    return listObjects(object, tries - 1)
  }
}

async function listJson<Row>(file: string, args: readonly string[]): Promise<Row[]> {
  const text = await runCommand(file, args, { remedy: REMEDY })
  return text.trim() === '' ? [] : (JSON.parse(text) as Row[])
}

function listPins(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true }).map(String)
}

/** The dead who wait for their parent are nobody's process any more. */
function listProcesses(): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
        const [, name, state] = /\((.*)\) (\S)/.exec(stat)!
        return /^(podweir|otelcol)/.test(name!) && state !== 'Z' ? [`process ${pid} ${name}`] : []
      } catch {
        return []
      }
    })
}
