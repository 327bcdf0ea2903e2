// What a process has in memory by the kernel's account, with and without the maps that it shares with the kernel.
import { readFileSync } from 'node:fs'

export interface Resident {
  readonly all: number
  /** Without the kernel's maps, which are mapped and counted there. */
  readonly own: number
}

/** MB of 1,000,000 bytes, as the limits and others' figures have them. */
export function residentMegabytes(pid: number): Resident {
  let all = 0
  let maps = 0
  let isMap = false
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isMap = line.endsWith('anon_inode:bpf-map')
    const resident = /^Rss:\s+(\d+) kB$/.exec(line)
    if (!resident) continue
    const megabytes = (Number(resident[1]) * 1024) / 1e6
    all += megabytes
    if (isMap) maps += megabytes
  }
  return { all, own: all - maps }
}
