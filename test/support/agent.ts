// The agent as its users run it: a process of its own, with a configuration file, an inventory and a private socket.
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import type { FlowRecord, StatusRecord } from '../../lib/signals/flow-record.ts'
import type { TestNamespace } from './namespaces.ts'
import { type End, PodweirProcess } from './podweir-process.ts'

const START_LIMIT_MS = 20_000
const POLL_MS = 20
/** What is pinned would be the next test's: only a test of that pins, in a directory of its own. */
const QUICK = { drain_interval: '200ms', collection_interval: '1s' }

/** A pod of the inventory, in the namespace `test`; its interface is `eth0` of the network namespace. */
export interface AgentPod {
  readonly name: string
  readonly namespace: TestNamespace
}

export interface AgentOptions {
  /** For its settings, inventory, socket and file exporter; the caller removes it. */
  readonly folder: string
  readonly pods: readonly AgentPod[]
  /** Where its metrics go; absent: into `metrics.jsonl` in the folder. */
  readonly otlp?: string
  /** What it sends there; absent: metrics alone. */
  readonly signals?: readonly ('metrics' | 'traces' | 'logs')[]
  /** More settings of that exporter. */
  readonly exporter?: Readonly<Record<string, unknown>>
  /** `service.telemetry.metrics`. */
  readonly ownTelemetry?: Readonly<Record<string, unknown>>
  /** Beside the test's own, as in the settings file: `flow_limit`, `collection_interval`, … */
  readonly receiver?: Readonly<Record<string, unknown>>
  readonly logLevel?: string
  /** A second settings file, which adds to the first. */
  readonly more?: string
  /** See `ProcessOptions`. */
  readonly through?: readonly string[]
}

export class Agent {
  readonly #process: PodweirProcess
  readonly #socket: string
  #end: End | undefined

  private constructor(configFiles: readonly string[], socket: string, through: readonly string[]) {
    this.#socket = socket
    this.#process = new PodweirProcess(['agent', ...configFiles.flatMap(file => ['--config', file])], { through })
    void this.#process.ended.then(end => {
      this.#end = end
    })
  }

  /** Resolves when each of the pods' interfaces is attached. */
  static async start(options: AgentOptions): Promise<Agent> {
    const configFile = join(options.folder, 'agent.yaml')
    const socket = join(options.folder, 'agent.sock')
    const inventoryFile = join(options.folder, 'inventory.yaml')
    writeFileSync(inventoryFile, stringify({ pods: options.pods.map(describePod) }))
    writeFileSync(configFile, stringify(settings(options, socket, inventoryFile)))
    const moreFile = join(options.folder, 'more.yaml')
    if (options.more !== undefined) writeFileSync(moreFile, options.more)
    const files = options.more === undefined ? [configFile] : [configFile, moreFile]
    const agent = new Agent(files, socket, options.through ?? [])
    try {
      // An interface is told of when its turn comes, not before.
      await agent.until(
        'every interface is attached',
        ({ interfaces }) => interfaces.filter(({ state }) => state === 'attached').length === options.pods.length,
        START_LIMIT_MS,
      )
    } catch (error) {
      await agent.kill()
      throw error
    }
    return agent
  }

  /** What it has logged so far. */
  get messages(): string[] {
    return this.#process.messages(/./)
  }

  get pid(): number {
    return this.#process.pid
  }

  get running(): boolean {
    return this.#end === undefined
  }

  /** Resident memory in kB, as the kernel accounts it. */
  get residentKilobytes(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))![1])
  }

  /** `GET /v1/status`. */
  status(): Promise<StatusRecord> {
    return askStatus(this.#socket)
  }

  /** Asks for its status until the condition holds; fails with what it logged when it doesn't or when it ended. */
  async until(what: string, holds: (status: StatusRecord) => boolean, limitMs = 15_000): Promise<StatusRecord> {
    let last: StatusRecord | undefined
    for (let waitedMs = 0; waitedMs < limitMs && this.running; waitedMs += POLL_MS) {
      // The socket is there a moment after the process.
      last = await this.status().catch(() => undefined)
      if (last && holds(last)) return last
      await sleep(POLL_MS)
    }
    const end = this.#end ? `it ended with ${this.#end.code}: ${this.#end.stderr}` : `not within ${limitMs} ms`
    const state = `it is at ${JSON.stringify(last)} and logged\n${this.messages.join('\n')}`
    throw new Error(`agent: ${what}: ${end}; ${state}`)
  }

  /** SIGTERM, and SIGKILL when it does not go: then the end's signal is SIGKILL. */
  stop(): Promise<End> {
    return this.#process.end('SIGTERM')
  }

  kill(): Promise<End> {
    return this.#process.end('SIGKILL')
  }
}

/** `GET /v1/status` of the agent that listens there. */
export async function askStatus(socketPath: string): Promise<StatusRecord> {
  return JSON.parse(await ask(socketPath, '/v1/status')) as StatusRecord
}

/** `GET /v1/flows`: those that are in its table now. */
export async function askFlows(socketPath: string): Promise<FlowRecord[]> {
  const lines = (await ask(socketPath, '/v1/flows?follow=false')).split('\n')
  return lines.filter(Boolean).map(line => JSON.parse(line) as FlowRecord)
}

function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const ask = request({ socketPath, path, timeout: 5_000 }, response => {
      let body = ''
      response.setEncoding('utf8').on('data', text => {
        body += text
      })
      response.on('end', () => resolve(body))
      response.on('error', reject)
    })
    ask.on('timeout', () => ask.destroy(new Error('no answer in 5 s')))
    ask.on('error', reject)
    ask.end()
  })
}

function settings(options: AgentOptions, socket: string, inventoryFile: string) {
  const { otlp, exporter, ownTelemetry, receiver, logLevel, folder, signals = ['metrics'] } = options
  const exporters =
    otlp === undefined
      ? { file: { path: join(folder, 'metrics.jsonl'), ...exporter } }
      : { otlp_grpc: { endpoint: otlp, ...exporter } }
  return {
    receivers: {
      podweir: { inventory: inventoryFile, ...QUICK, pins: 'off', ...receiver },
    },
    exporters,
    extensions: { api: { endpoint: `unix://${socket}` } },
    service: {
      extensions: ['api'],
      pipelines: Object.fromEntries(
        signals.map(signal => [signal, { receivers: ['podweir'], exporters: Object.keys(exporters) }]),
      ),
      telemetry: { logs: { level: logLevel ?? 'info' }, ...(ownTelemetry && { metrics: ownTelemetry }) },
    },
  }
}

function describePod({ name, namespace }: AgentPod) {
  const { v4, v6 } = namespace.addresses
  return {
    namespace: 'test',
    name,
    interfaces: [{ netns: namespace.path, device: 'eth0' }],
    addresses: [v4, v6],
    workload: { kind: 'Deployment', name },
  }
}
