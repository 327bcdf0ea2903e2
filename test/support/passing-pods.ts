// The set-up of a suite whose pods come and go while an agent runs.
import { afterEach, before, beforeEach } from 'mocha'
import { AgentFolder } from '../agent/agent-folder.ts'
import { hasCgroups } from './cgroup-process.ts'
import { ShortLivedPod } from './short-lived-pod.ts'
import { skip } from './skip.ts'

export class PassingPods {
  readonly folder = new AgentFolder()
  readonly #pods: ShortLivedPod[] = []

  async create(...args: Parameters<typeof ShortLivedPod.create>): Promise<ShortLivedPod> {
    const pod = await ShortLivedPod.create(...args)
    this.#pods.push(pod)
    return pod
  }

  async remove(): Promise<void> {
    await Promise.all(this.#pods.map(pod => pod.remove()))
    await this.folder.remove()
  }
}

/** `use` gets what the next test runs with, which is gone when that test is. */
export function withPassingPods(use: (made: PassingPods) => void): void {
  let made: PassingPods
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to make network namespaces')
    if (!hasCgroups) skip(this, 'needs cgroup v2')
  })
  beforeEach(() => {
    made = new PassingPods()
    use(made)
  })
  afterEach(() => made.remove())
}
