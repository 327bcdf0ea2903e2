// The set-up of a suite whose agents observe the same two pods, each of them from a folder of its own.
import { after, afterEach, before, beforeEach } from 'mocha'
import { AgentFolder } from '../agent/agent-folder.ts'
import { Namespaces, type Pod } from './namespaces.ts'
import { skip } from './skip.ts'
import { until } from './until.ts'

export class AgentOnPods {
  readonly folder = new AgentFolder()
  readonly pods: readonly Pod[]

  constructor(pods: readonly Pod[]) {
    this.pods = pods
  }

  /** One pod sends to the other: the agent counts each packet at both of them. */
  async assertCounts(packets: number): Promise<void> {
    const [a, b] = this.pods.map(({ namespace }) => namespace)
    const before = (await this.folder.status()).ledger.packets.flow
    await a!.traffic('udp-send', '--to', b!.addresses.v4, '--port', 9, '--count', packets)
    const counted = async () => (await this.folder.status()).ledger.packets.flow - before
    await until('counted', async () => (await counted()) >= 2 * packets)
  }
}

/** `use` gets what the next test runs with; the folder is gone when that test is, the pods with the suite. */
export function withAgentOnPods(use: (made: AgentOnPods) => void): void {
  let namespaces: Namespaces | undefined
  let pods: readonly Pod[]
  let made: AgentOnPods | undefined
  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    pods = await namespaces.createPods(2)
  })
  beforeEach(() => {
    made = new AgentOnPods(pods)
    use(made)
  })
  afterEach(() => made?.folder.remove())
  after(() => namespaces?.remove())
}
