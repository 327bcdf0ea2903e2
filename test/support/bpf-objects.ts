// Kernel objects by their ids: what a process holds by descriptor, and what there is on the whole machine.
import { readdirSync, readFileSync } from 'node:fs'
import { runCommand } from '../../lib/demo/command.ts'

export interface Held {
  readonly maps: readonly number[]
  readonly programs: readonly number[]
  readonly links: readonly number[]
}

interface Program {
  readonly id: number
  readonly name?: string
  readonly map_ids?: readonly number[]
  /** Absent unless the kernel's statistics are on. */
  readonly run_cnt?: number
  readonly run_time_ns?: number
}

/** What the process's descriptors name. */
export function heldBy(pid: number): Held {
  const held = { maps: [] as number[], programs: [] as number[], links: [] as number[] }
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const text = readInfo(`/proc/${pid}/fdinfo/${fd}`)
    const id = (key: string) => Number(RegExp(`^${key}:\\s+(\\d+)$`, 'm').exec(text)?.[1])
    // A link's text names its program too.
    if (text.includes('link_id:')) held.links.push(id('link_id'))
    else if (text.includes('prog_id:')) held.programs.push(id('prog_id'))
    else if (text.includes('map_id:')) held.maps.push(id('map_id'))
  }
  return held
}

/** The maps by name of the program of that name that the process loaded last. */
export async function newestMaps(pid: number, program: string): Promise<Record<string, number>> {
  const newest = await newestProgram(pid, program)
  const maps = await listed<{ id: number; name?: string }>('map')
  const used = maps.filter(({ id }) => newest?.map_ids?.includes(id))
  return Object.fromEntries(used.map(({ id, name }) => [name ?? '', id]))
}

/** Runs and time of that program, as the kernel counts them while its statistics are on. */
export async function newestRuns(pid: number, program: string): Promise<{ runs: number; nanoseconds: number }> {
  const { run_cnt = 0, run_time_ns = 0 } = (await newestProgram(pid, program)) ?? {}
  return { runs: run_cnt, nanoseconds: run_time_ns }
}

async function newestProgram(pid: number, program: string): Promise<Program | undefined> {
  const held = heldBy(pid).programs
  const named = (await listed<Program>('prog')).filter(({ id, name }) => name === program && held.includes(id))
  return named.toSorted((x, y) => x.id - y.id).at(-1)
}

/** Ids of all programs that use one of these maps, whoever holds them. */
export async function programsUsing(maps: readonly number[]): Promise<number[]> {
  const programs = await listed<Program>('prog')
  return programs.filter(({ map_ids }) => map_ids?.some(id => maps.includes(id))).map(({ id }) => id)
}

export async function existingLinks(): Promise<number[]> {
  return (await listed<{ id: number }>('link')).map(({ id }) => id)
}

/** Id of the map that is pinned there. */
export async function pinnedMap(path: string): Promise<number> {
  const remedy = 'run as root, with bpftool installed'
  return JSON.parse(await runCommand('bpftool', ['--json', 'map', 'show', 'pinned', path], { remedy })).id
}

async function listed<Row>(object: 'prog' | 'map' | 'link', tries = 5): Promise<Row[]> {
  const remedy = 'run as root, with bpftool installed'
  try {
    const text = await runCommand('bpftool', ['--json', object, 'show'], { remedy })
    return text.trim() === '' ? [] : (JSON.parse(text) as Row[])
  } catch (error) {
    // It fails when an object goes while it lists.
    if (tries <= 1) throw error
    return listed(object, tries - 1)
  }
}

/** Empty for a descriptor that was closed meanwhile. */
function readInfo(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
