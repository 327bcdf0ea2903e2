// iproute2 in batches: one process for as many commands as one namespace needs.
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from '../host/failure.ts'
import { runCommand } from './command.ts'

const REMEDY = 'run as root, with the package iproute2 installed'
const UP_ATTEMPTS = 500
const UP_INTERVAL_MS = 10

interface LinkState {
  readonly ifname: string
  readonly operstate: string
  readonly linkinfo?: { readonly info_slave_kind?: string; readonly info_slave_data?: { readonly state?: string } }
}

/** Runs `ip` commands (without the word `ip`) in the given network namespace, the process's own when there is none. */
export async function ipBatch(commands: readonly string[], netns?: string): Promise<void> {
  if (commands.length === 0) return
  await runCommand('ip', [...inside(netns), '-batch', '-'], { stdin: `${commands.join('\n')}\n`, remedy: REMEDY })
}

/**
 * Waits until these devices can send. The end of a pair that was set up first hears of its carrier from a kernel
 * worker, and drops what it is given until then; a bridge's port forwards nothing until then.
 */
export async function linksUp(devices: readonly string[], netns?: string): Promise<void> {
  let waiting: string[] = []
  for (let attempt = 0; attempt < UP_ATTEMPTS; attempt++) {
    const output = await runCommand('ip', [...inside(netns), '-json', '-details', 'link', 'show'], { remedy: REMEDY })
    const ready = (JSON.parse(output) as LinkState[]).filter(canSend).map(link => link.ifname)
    waiting = devices.filter(device => !ready.includes(device))
    if (waiting.length === 0) return
    await sleep(UP_INTERVAL_MS)
  }
  const subject = `${waiting.join(', ')} in ${netns ?? 'this namespace'}`
  throw new Failure({ step: 'set up', subject, cause: 'no carrier', remedy: 'set up the other end of the pair too' })
}

function canSend({ operstate, linkinfo }: LinkState): boolean {
  const isPort = linkinfo?.info_slave_kind === 'bridge'
  return operstate === 'UP' && (!isPort || linkinfo.info_slave_data?.state === 'forwarding')
}

function inside(netns: string | undefined): string[] {
  return netns === undefined ? [] : ['-netns', netns]
}
