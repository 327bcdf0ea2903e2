// Pods of this machine's Kubernetes nodes, as soon as they have a network: before the API server knows of their address.
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'

export interface NewPod {
  readonly name: string
  /** Path of its network namespace. */
  readonly netns: string
}

/** The program that holds a pod's namespaces begins when they are complete. */
const HOLDER = 'pause'

export class NewPods {
  readonly #processes = new Set<string>()

  /** Those that were not there at the call before. */
  take(): NewPod[] {
    const found: NewPod[] = []
    const processes = globSync('/proc/[0-9]*')
    for (const folder of processes) {
      if (this.#processes.has(folder) || !isHolder(folder)) continue
      this.#processes.add(folder)
      const process = folder.slice('/proc/'.length)
      const name = execFileSync('nsenter', ['-t', process, '-u', 'hostname'], { encoding: 'utf8' }).trim()
      found.push({ name, netns: `${folder}/ns/net` })
    }
    return found
  }
}

function isHolder(folder: string): boolean {
  try {
    return (
      readFileSync(`${folder}/comm`, 'utf8') === `${HOLDER}\n` &&
      /\/pod[0-9a-f-]{36}\//.test(readFileSync(`${folder}/cgroup`, 'utf8'))
    )
  } catch {
    // It has ended meanwhile.
    return false
  }
}
