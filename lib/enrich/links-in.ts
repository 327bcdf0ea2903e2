// The devices of namespaces that may be gone, or closed to us.
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

/** By path of the namespace. */
export async function linksInAll(
  source: Pick<FlowSource, 'linksOf'>,
  wanted: readonly { readonly netns?: string }[],
): Promise<Map<string | undefined, Link[] | Failure>> {
  const paths = [...new Set(wanted.map(({ netns }) => netns))]
  if (paths.length === 0) return new Map()
  const dumps = await source.linksOf(paths.map(path => path ?? ''))
  return new Map(paths.map((path, i) => [path, dumps[i]!]))
}
