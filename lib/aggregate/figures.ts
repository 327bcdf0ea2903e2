// The terms of the ledger's equations for one direction of one interface, or summed over many (docs/ledger.md).
import { OTHER_CLASSES, packetClasses } from '../capture/flow-batch.ts'
import type { CounterKind } from '../capture/flow-source.ts'

/** (a) device + overseen = seen + unobserved + unexplained. */
export interface DeviceFigures {
  device: number
  seen: number
  unobserved: number
  overseen: number
  unexplained: number
}

/** (b) seen = flow + collapsed + other + overflow + filtered, in packets or in bytes. */
export interface WireFigures {
  seen: number
  flow: number
  collapsed: number
  other: number
  overflow: number
  filtered: number
}

/** Packets or bytes that are no ordinary ones of a flow: the first five add up to `other`. */
export type ClassFigures = Record<CountedClass, number>
export type CountedClass = Exclude<(typeof packetClasses)[number], 'flow'>
export const countedClasses = packetClasses.filter(name => name !== 'flow') as readonly CountedClass[]
export const otherClasses = countedClasses.slice(0, OTHER_CLASSES)

export interface DirectionFigures {
  readonly skbs: DeviceFigures
  readonly packets: WireFigures
  readonly bytes: WireFigures
  readonly classes: { readonly packets: ClassFigures; readonly bytes: ClassFigures }
}

export function zeroFigures(): DirectionFigures {
  return {
    skbs: { device: 0, seen: 0, unobserved: 0, overseen: 0, unexplained: 0 },
    packets: { seen: 0, flow: 0, collapsed: 0, other: 0, overflow: 0, filtered: 0 },
    bytes: { seen: 0, flow: 0, collapsed: 0, other: 0, overflow: 0, filtered: 0 },
    classes: { packets: classFigures(() => 0), bytes: classFigures(() => 0) },
  }
}

export function classFigures(counted: (index: number) => number): ClassFigures {
  return Object.fromEntries(countedClasses.map((name, index) => [name, counted(index)])) as ClassFigures
}

export function addFigures(sum: DirectionFigures, more: DirectionFigures): void {
  addTerms(sum.skbs, more.skbs)
  addTerms(sum.packets, more.packets)
  addTerms(sum.bytes, more.bytes)
  addTerms(sum.classes.packets, more.classes.packets)
  addTerms(sum.classes.bytes, more.classes.bytes)
}

export function addTerms<Terms extends DeviceFigures | WireFigures | ClassFigures>(sum: Terms, more: Terms): void {
  for (const term of Object.keys(sum) as (keyof Terms)[]) (sum[term] as number) += more[term] as number
}

/** What we saw on the scale of a device that counts this kind. */
export function seenAs(kind: CounterKind, skbs: number, packets: number): number {
  return kind === 'wire' ? packets : skbs
}

/** The only term that is computed from the others. Of an unknown kind only the bounds are known: skbs and packets. */
export function unexplainedOf(kind: CounterKind, explained: number, skbs: number, packets: number): number {
  if (kind !== 'unknown') return explained - seenAs(kind, skbs, packets)
  return explained - Math.min(Math.max(explained, skbs), packets)
}

export function deviceHolds(figures: DeviceFigures): boolean {
  return figures.unexplained === 0 && figures.unobserved === 0 && figures.overseen === 0
}

export function wireHolds(figures: WireFigures): boolean {
  return figures.seen === figures.flow + figures.collapsed + figures.other + figures.overflow + figures.filtered
}

/** Everything that is in no flow has a class. */
export function classesHold({ other }: WireFigures, classes: ClassFigures): boolean {
  return other === otherClasses.reduce((sum, name) => sum + classes[name], 0)
}
