// Which devices are attached to at all, by their names, and which are ignored.
import type { FlowSource, Link } from '../capture/flow-source.ts'
import { deviceGlob } from '../config/device-glob.ts'
import type { ScopeConfig } from '../config/scope.ts'
import { Failure } from '../host/failure.ts'
import { matchDevices, type WantedInterface } from './interface-plan.ts'

/** A device that would be attached to, but for the scope. */
export interface IgnoredDevice {
  /** As the wanted interface's. */
  readonly subject: string
  readonly device: string
}

export interface ScopedPlan {
  /** Without those whose every device is ignored. */
  readonly wanted: readonly WantedInterface[]
  readonly ignored: readonly IgnoredDevice[]
}

export class DeviceScope {
  readonly #include: readonly RegExp[]
  readonly #exclude: readonly RegExp[]

  constructor({ include, exclude }: ScopeConfig) {
    this.#include = include.interfaces.map(pattern => deviceGlob(pattern)!)
    this.#exclude = exclude.interfaces.map(pattern => deviceGlob(pattern)!)
  }

  get hasRules(): boolean {
    return this.#include.length + this.#exclude.length > 0
  }

  /** By the device's name where it was found: inside of the pod, or the host's end's. */
  has(device: string): boolean {
    if (this.#exclude.some(pattern => pattern.test(device))) return false
    return this.#include.length === 0 || this.#include.some(pattern => pattern.test(device))
  }

  /** Of the devices that there are now; without rules nobody looks at them. */
  async choose(plan: readonly WantedInterface[], source: Pick<FlowSource, 'links'>): Promise<ScopedPlan> {
    if (!this.hasRules) return { wanted: plan, ignored: [] }
    const wanted: WantedInterface[] = []
    const ignored: IgnoredDevice[] = []
    for (const each of plan) {
      const devices = matchDevices(each, await linksOf(source, each))
      const left = devices.filter(({ link }) => !this.has(link.name))
      ignored.push(...left.map(({ link }) => ({ subject: each.subject, device: link.name })))
      if (left.length === 0 || left.length < devices.length)
        wanted.push({ ...each, isInScope: device => this.has(device) })
    }
    return { wanted, ignored }
  }
}

/** What can't be read is reported by the one who attaches. */
async function linksOf(source: Pick<FlowSource, 'links'>, { netns }: WantedInterface): Promise<readonly Link[]> {
  try {
    return await source.links(netns)
  } catch (error) {
    if (error instanceof Failure) return []
    throw error
  }
}
