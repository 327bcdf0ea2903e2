// Attaches one interface: at the end that is asked for, or the better of the two that is within reach, and never twice.
import { isNamed } from '../aggregate/edge-end.ts'
import type { AttachRequest, FlowSource, Place } from '../capture/flow-source.ts'
import { Failure } from '../host/failure.ts'
import { TWICE } from './attach-reason.ts'
import { PairEnds } from './pair-ends.ts'
import type { MadeAttachment, TrackedInterface } from './tracked-interface.ts'

export interface AttacherParts {
  readonly source: FlowSource
  readonly attach: 'auto' | Place
  readonly hook: AttachRequest['hook']
}

export interface MadeAtEnd extends MadeAttachment {
  /** The device's name in the pod. */
  readonly device: string
}

export class Attacher {
  readonly #parts: AttacherParts

  constructor(parts: AttacherParts) {
    this.#parts = parts
  }

  /** Throws a Failure. `others`: the ends that are attached already. */
  async attach(tracked: TrackedInterface, others: Iterable<TrackedInterface>): Promise<MadeAtEnd> {
    tracked.isAttaching = true
    try {
      return await this.#attach(tracked, others)
    } catch (error) {
      tracked.isAttaching = false
      throw error
    }
  }

  async #attach({ wanted, found, isNew }: TrackedInterface, others: Iterable<TrackedInterface>): Promise<MadeAtEnd> {
    const { source, attach, hook } = this.#parts
    const { netns, inode } = wanted
    const ends = new PairEnds(
      source,
      { ...(netns !== undefined && { netns }), ...(inode !== undefined && { inode }) },
      found!,
    )
    const taken = [...others]
    const held = isNew && !isNamed(wanted.identity) && { held: true }
    let atPod: Failure | undefined
    if (attach !== 'host') {
      try {
        const { index, ...pod } = await ends.pod()
        return {
          ...(await this.#attachOnce({ ...pod, place: 'pod', hook, ...held }, index, taken)),
          device: pod.device,
        }
      } catch (error) {
        // Without the right to enter the namespace the host's end is what remains.
        if (attach === 'pod' || !(error instanceof Failure) || ['attach tcx', TWICE].includes(error.step)) throw error
        atPod = error
      }
    }
    const { device, index, podDevice } = await ends.host().catch(error => {
      throw atPod ?? error
    })
    return { ...(await this.#attachOnce({ device, place: 'host', hook, ...held }, index, taken)), device: podDevice }
  }

  /** The inventory may name a pair by both of its ends. */
  async #attachOnce(
    request: AttachRequest,
    index: number,
    taken: readonly TrackedInterface[],
  ): Promise<MadeAttachment> {
    const other = taken.find(({ made }) => made?.index === index && isSameNamespace(made.request, request))
    if (other) {
      const cause = `it is attached already, for ${other.subject}`
      const remedy = 'name one end of each pair in the inventory'
      throw new Failure({ step: TWICE, subject: request.device, cause, remedy })
    }
    return { attachment: await this.#parts.source.attach(request), request, index }
  }
}

function isSameNamespace(a: AttachRequest, b: AttachRequest): boolean {
  return a.inode !== undefined && b.inode !== undefined ? a.inode === b.inode : a.netns === b.netns
}
