// The devices of a namespace that may be gone, or closed to us.
import type { FlowSource, Link } from '../capture/flow-source.ts'
import { Failure } from '../host/failure.ts'

/** A Failure: the namespace isn't there, or may not be entered. `netns` absent: the agent's own. */
export async function linksIn(source: Pick<FlowSource, 'links'>, netns?: string): Promise<Link[] | Failure> {
  try {
    return await source.links(netns)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
}
