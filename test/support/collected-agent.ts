// The set-up of a suite whose agents export to a real Collector: it is built once, and each test starts one of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach } from 'mocha'
import { Agent, type AgentOptions } from './agent.ts'
import { type Collector, type CollectorPlace, prepareCollector, startCollector } from './collector.ts'
import { skip } from './skip.ts'

const newFolder = () => mkdtempSync(join(tmpdir(), 'podweir-collected-'))

export class CollectedAgent {
  readonly folder = newFolder()
  collector!: Collector
  /** The one that runs. */
  agent!: Agent

  async start(options: Omit<AgentOptions, 'folder' | 'otlp'>): Promise<void> {
    this.agent = await Agent.start({ ...options, folder: this.folder, otlp: this.collector.endpoint })
  }

  async remove(): Promise<void> {
    await this.agent?.stop()
    await this.collector?.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/**
 * `use` gets what the next test runs with, which is gone when that test is. `place` is asked when the suite's own
 * `before` is over; absent: loopback.
 */
export function withCollectedAgent(use: (made: CollectedAgent) => void, place?: () => CollectorPlace): void {
  let made: CollectedAgent
  before('build the Collector, once', async function () {
    this.timeout('15m')
    if (process.getuid?.() !== 0) skip(this, 'needs root to load eBPF and to make network namespaces')
    const building = newFolder()
    await prepareCollector({ folder: building })
    rmSync(building, { recursive: true })
  })
  beforeEach(async () => {
    made = new CollectedAgent()
    made.collector = await startCollector({ folder: made.folder, ...(place && { at: place() }) })
    use(made)
  })
  afterEach(() => made.remove())
}
