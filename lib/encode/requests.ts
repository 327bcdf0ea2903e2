// Cuts spans and log records into requests, and sorts each request's by resource.
import type { SignalResource } from '../signals/attribute-set.ts'
import { LARGEST_REQUEST } from './encoded-request.ts'

interface OfResource {
  readonly resource: SignalResource
  /** What has the same trace id as its neighbour stays in one request: both ends of an edge. */
  readonly traceId?: string
}

export type ByResource<Item> = ReadonlyMap<SignalResource, readonly Item[]>

export interface Sizes<Item> {
  /** No less than its bytes will be. */
  readonly item: (item: Item) => number
  readonly resource: (resource: SignalResource) => number
}

interface Cut<Item> {
  readonly byResource: Map<SignalResource, Item[]>
  bytes: number
  items: number
}

export function cutIntoRequests<Item extends OfResource>(
  items: readonly Item[],
  sizes: Sizes<Item>,
  largest = LARGEST_REQUEST,
): { readonly byResource: ByResource<Item>; readonly items: number }[] {
  const requests: Cut<Item>[] = []
  let open: Cut<Item> | undefined
  for (let first = 0; first < items.length; ) {
    const end = endOfTrace(items, first)
    let bytes = sizeOf(items, first, end, sizes, open)
    if (!open || (open.items > 0 && open.bytes + bytes > largest)) {
      open = { byResource: new Map(), bytes: 0, items: 0 }
      requests.push(open)
      bytes = sizeOf(items, first, end, sizes, open)
    }
    open.bytes += bytes
    open.items += end - first
    for (; first < end; first++) add(open.byResource, items[first]!)
  }
  return requests
}

function endOfTrace(items: readonly OfResource[], first: number): number {
  const { traceId } = items[first]!
  let end = first + 1
  while (traceId !== undefined && end < items.length && items[end]!.traceId === traceId) end++
  return end
}

function sizeOf<Item extends OfResource>(
  items: readonly Item[],
  first: number,
  end: number,
  sizes: Sizes<Item>,
  open: Cut<Item> | undefined,
): number {
  let bytes = 0
  for (let i = first; i < end; i++) {
    const item = items[i]!
    bytes += sizes.item(item)
    // The same resource twice in one trace counts twice, which does no harm.
    if (!open?.byResource.has(item.resource)) bytes += sizes.resource(item.resource)
  }
  return bytes
}

function add<Item extends OfResource>(byResource: Map<SignalResource, Item[]>, item: Item): void {
  const before = byResource.get(item.resource)
  if (before) before.push(item)
  else byResource.set(item.resource, [item])
}
