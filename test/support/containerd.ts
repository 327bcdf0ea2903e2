// A containerd of the test's own, beside any that the machine has: its socket, its images, its containers.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context } from 'mocha'
import { skip } from './skip.ts'
import { until } from './until.ts'

export interface Ran {
  readonly status: number | null
  /** What it wrote to stdout and stderr. */
  readonly said: string
}

export function needContainerd(context: Context): void {
  const missing = ['containerd', 'ctr', 'runc'].filter(program => spawnSync(program, ['--version']).status !== 0)
  if (missing.length > 0) skip(context, `needs ${missing.join(', ')}, which ./podweir test installs`)
}

export class Containerd {
  readonly #folder: string
  readonly #daemon: ChildProcess
  #containers = 0

  private constructor(folder: string) {
    this.#folder = folder
    const file = join(folder, 'config.toml')
    writeFileSync(file, settings(folder))
    const log = openSync(join(folder, 'log'), 'w')
    this.#daemon = spawn('containerd', ['--config', file], { stdio: ['ignore', log, log] })
  }

  /** Answers when it resolves. The caller stops it. */
  static async start(): Promise<Containerd> {
    const started = new Containerd(mkdtempSync(join(tmpdir(), 'podweir-containerd-')))
    try {
      await until('containerd answers', () => started.#ctr('version').status === 0, { limitMs: 30_000 })
    } catch (error) {
      await started.stop()
      throw error
    }
    return started
  }

  /** Under the names that the archive has. */
  import(archive: string): Ran {
    return this.#ctr('images', 'import', archive)
  }

  /** `REF DIGEST` of each. */
  images(): string[] {
    const lines = this.#ctr('images', 'list').said.trim().split('\n').slice(1)
    return lines.map(line => line.split(/\s+/)).map(([reference, , digest]) => `${reference} ${digest}`)
  }

  /** In a container that is gone afterwards. */
  run(options: readonly string[], image: string, ...parameters: string[]): Ran {
    return this.#ctr('run', '--rm', ...options, image, `test-${++this.#containers}`, ...parameters)
  }

  async stop(): Promise<void> {
    if (this.#daemon.exitCode === null) {
      const exit = once(this.#daemon, 'exit')
      this.#daemon.kill('SIGTERM')
      await exit
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** In the kubelet's namespace of names. */
  #ctr(...parameters: string[]): Ran {
    const given = ['--address', join(this.#folder, 'socket'), '--namespace', 'k8s.io', ...parameters]
    const { status, stdout, stderr } = spawnSync('ctr', given, { encoding: 'utf8' })
    return { status, said: `${stdout}${stderr}` }
  }
}

function settings(folder: string): string {
  const text = (path: string) => JSON.stringify(join(folder, path))
  return `version = 2
root = ${text('root')}
state = ${text('state')}
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = ${text('socket')}
[ttrpc]
address = ${text('socket.ttrpc')}
`
}
