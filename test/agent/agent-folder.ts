// A folder with everything that an agent reads, writes and listens on; what the test does not set is kept out of its way.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StatusRecord } from '../../lib/signals/flow-record.ts'
import type { TestNamespace } from '../support/namespaces.ts'
import { PodweirProcess, type ProcessOptions } from '../support/podweir-process.ts'

/** Fast; and nothing outlives an agent unless the test is about that. */
const PACE = { drain_interval: '100ms', collection_interval: '200ms' }

export interface Settings {
  /** Text of the inventory. */
  readonly inventory?: string
  /** Beside or instead of the test's own, as in the settings file. */
  readonly receiver?: Readonly<Record<string, unknown>>
  /** Where an otlp_grpc exporter sends; absent: a file. */
  readonly otlp?: string
}

/** One pod on one line, in the namespace `test`. */
export function podLine(name: string, ...interfaces: readonly { netns?: string; device?: string }[]): string {
  return `  - { namespace: test, name: ${name}, interfaces: ${JSON.stringify(interfaces)} }`
}

export function inventoryOf(...podLines: readonly string[]): string {
  return ['pods:', ...podLines, ''].join('\n')
}

export const podIn = (name: string, { path }: TestNamespace) => podLine(name, { netns: path, device: 'eth0' })

export class AgentFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'podweir-agent-'))
  readonly socket = join(this.path, 'agent.sock')
  readonly inventoryFile = join(this.path, 'inventory.yaml')
  readonly #started: PodweirProcess[] = []

  write(name: string, text: string): string {
    const file = join(this.path, name)
    writeFileSync(file, text)
    return file
  }

  /** Writes the settings file and gives its path. */
  settings({ inventory, receiver, otlp }: Settings): string {
    if (inventory !== undefined) this.write('inventory.yaml', inventory)
    const exporter = otlp === undefined ? 'file' : 'otlp_grpc'
    const file = { path: join(this.path, 'metrics.jsonl') }
    const settings = {
      receivers: {
        podweir: { inventory: this.inventoryFile, ...PACE, pins: 'off', ...receiver },
      },
      exporters: { [exporter]: otlp === undefined ? file : { endpoint: otlp } },
      extensions: { api: { endpoint: `unix://${this.socket}` } },
      service: { pipelines: { metrics: { receivers: ['podweir'], exporters: [exporter] } } },
    }
    return this.write('agent.yaml', JSON.stringify(settings, undefined, 2))
  }

  start(settings: Settings, options?: ProcessOptions): PodweirProcess {
    const agent = new PodweirProcess(['agent', '--config', this.settings(settings)], options)
    this.#started.push(agent)
    return agent
  }

  /** Resolves when its first attaching is over. */
  async started(settings: Settings, options?: ProcessOptions): Promise<PodweirProcess> {
    const agent = this.start(settings, options)
    await agent.logged(/^exporting /)
    return agent
  }

  /** `GET /v1/status`. */
  status(): Promise<StatusRecord> {
    return new Promise((resolve, reject) => {
      const asked = request({ socketPath: this.socket, path: '/v1/status', timeout: 5_000 }, async response => {
        let body = ''
        for await (const chunk of response.setEncoding('utf8')) body += chunk
        resolve(JSON.parse(body))
      })
      asked.on('timeout', () => asked.destroy(new Error('no answer in 5 s')))
      asked.on('error', reject)
      asked.end()
    })
  }

  /** Ends what still runs. */
  async remove(): Promise<void> {
    await Promise.all(this.#started.map(agent => agent.end('SIGKILL')))
    rmSync(this.path, { recursive: true, force: true })
  }
}
