// Queries and the answers that fit them: what a lookup took, and what its pod has learnt.
import { ADDRESS_BYTES } from '../aggregate/address-order.ts'
import {
  DNS_CLASS_IN,
  type DnsMessage,
  type DnsQuestion,
  type DnsRecord,
  DnsType,
  parseDnsMessage,
} from '../aggregate/dns-message.ts'
import { questionSuffix } from '../aggregate/dns-suffix.ts'
import type { LookupTable } from '../aggregate/lookup-table.ts'
import { Protocol } from '../aggregate/transport.ts'
import { formatAddress } from '../capture/address.ts'
import type { DnsBatch } from '../capture/dns-source.ts'
import type { DnsNames } from './dns-names.ts'
import { OpenLookups } from './open-lookups.ts'

/** A lookup that ended, to be told under its owner's name. */
export interface EndedLookup {
  readonly interfaceSlot: number
  readonly suffix: string
  readonly error: string | undefined
  readonly seconds: number
  /** Wall clock of its query. */
  readonly sinceMs: number
}

export interface DnsLookupsParts {
  readonly names: DnsNames
  readonly table: LookupTable
  readonly ended: (lookup: EndedLookup) => void
}

export const TIMEOUT_SECONDS = 5
const TIMEOUT_MS = TIMEOUT_SECONDS * 1000
/** An answer that was on its way while its batch was read is in the next one. */
const READING_MS = 100
const LENGTH_BYTES = 2
const CHAIN_LIMIT = 16
/** RFC 1035, RFC 2136 and RFC 8914's registry, as resolvers print them. */
const codeNames = [
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'],
  ...['YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE'],
]

export class DnsLookups {
  readonly #parts: DnsLookupsParts
  readonly #open = new OpenLookups()

  constructor(parts: DnsLookupsParts) {
    this.#parts = parts
  }

  /** Lookups that wait for their answer. */
  get open(): number {
    return this.#open.size
  }

  /** `readAtMs`: wall clock, not before the batch was read. */
  apply(batch: DnsBatch, readAtMs: number): void {
    const { table } = this.#parts
    table.messages.lost = batch.lost
    let start = 0
    for (let i = 0; i < batch.length; i++) {
      const end = batch.end[i]!
      if (batch.protocol[i] === Protocol.tcp) this.#applySegment(batch, i, start, end)
      else this.#applyMessage(batch, i, start, end)
      start = end
    }
    this.#timeOut(readAtMs - batch.wallMinusMonotonicMs - READING_MS, batch.wallMinusMonotonicMs)
  }

  forget(interfaceSlot: number): void {
    this.#parts.table.unfinished += this.#open.forget(interfaceSlot)
    this.#parts.names.forget(interfaceSlot)
  }

  /** Whole messages, each behind its length (RFC 7766): of what goes on in another segment nothing is read. */
  #applySegment(batch: DnsBatch, i: number, start: number, end: number): void {
    let at = start
    while (at < end) {
      const from = at + LENGTH_BYTES
      const behind = from > end ? from : from + ((batch.bytes[at]! << 8) | batch.bytes[at + 1]!)
      if (behind > end) {
        this.#parts.table.messages.not_read++
        return
      }
      if (!this.#applyMessage(batch, i, from, behind)) return
      at = behind
    }
  }

  /** false: it is none. */
  #applyMessage(batch: DnsBatch, i: number, start: number, end: number): boolean {
    const message = parseDnsMessage(batch.bytes, start, end)
    const isQuery = batch.fromPod[i] === 1
    if (!message?.question || message.operation !== 0 || message.isAnswer === isQuery) {
      this.#parts.table.messages.not_read++
      return false
    }
    if (isQuery) this.#ask(batch, i, message, message.question)
    else this.#answer(batch, i, message, message.question)
    return true
  }

  #ask(batch: DnsBatch, i: number, message: DnsMessage, question: DnsQuestion): void {
    const interfaceSlot = batch.interfaceSlot[i]!
    const outcome = this.#open.begin(keyOf(batch, i, message, question), interfaceSlot, batch.monotonicMs[i]!)
    this.#parts.table.messages[outcome]++
  }

  #answer(batch: DnsBatch, i: number, message: DnsMessage, question: DnsQuestion): void {
    const { messages } = this.#parts.table
    const key = keyOf(batch, i, message, question)
    const atMs = batch.monotonicMs[i]!
    // It may have been read late.
    if (atMs - (this.#open.sinceMs(key) ?? atMs) > TIMEOUT_MS) this.#end(this.#open.timeOut(key)!, batch, 'timeout')
    const lookup = this.#open.end(key, atMs)
    if (!lookup) {
      messages.answer_unsolicited++
      return
    }
    if (lookup.isLate) messages.answer_late++
    else {
      messages.answer++
      const error = message.code === 0 ? undefined : (codeNames[message.code] ?? `RCODE_${message.code}`)
      this.#end({ ...lookup, name: question.name }, batch, error, (atMs - lookup.sinceMs) / 1000)
    }
    this.#learn(batch, i, message, question)
  }

  #learn(batch: DnsBatch, i: number, message: DnsMessage, question: DnsQuestion): void {
    const isAddress = question.type === DnsType.a || question.type === DnsType.aaaa
    if (message.code !== 0 || question.class !== DNS_CLASS_IN || !isAddress) return
    const { addresses, ttl } = addressesOf(message.answers, question)
    if (addresses.length === 0) return
    const atMs = batch.monotonicMs[i]! + batch.wallMinusMonotonicMs
    this.#parts.names.learn(batch.interfaceSlot[i]!, question.name, addresses, ttl, atMs)
  }

  #timeOut(nowMs: number, wallMinusMonotonicMs: number): void {
    for (const lookup of this.#open.timeOutBefore(nowMs - TIMEOUT_MS))
      this.#end(lookup, { wallMinusMonotonicMs }, 'timeout')
  }

  #end(
    { interfaceSlot, sinceMs, name }: { interfaceSlot: number; sinceMs: number; name: string },
    { wallMinusMonotonicMs }: Pick<DnsBatch, 'wallMinusMonotonicMs'>,
    error: string | undefined,
    seconds = TIMEOUT_SECONDS,
  ): void {
    const suffix = questionSuffix(name)
    this.#parts.ended({ interfaceSlot, suffix, error, seconds, sinceMs: sinceMs + wallMinusMonotonicMs })
  }
}

/** Equal for a query and for the answer that fits it: of the same ends, with the same id and question. */
function keyOf(batch: DnsBatch, i: number, { id }: DnsMessage, question: DnsQuestion): string {
  const family = batch.family[i]!
  const local = formatAddress(batch.localAddress, i * ADDRESS_BYTES, family)
  const remote = formatAddress(batch.remoteAddress, i * ADDRESS_BYTES, family)
  const ends = `${batch.interfaceSlot[i]} ${batch.protocol[i]} ${local} ${batch.localPort[i]} ${remote}`
  return `${ends} ${id} ${question.type} ${question.class} ${question.name}`
}

/** What the name that was asked for leads to, by its aliases or at once. */
function addressesOf(answers: readonly DnsRecord[], question: DnsQuestion): { addresses: string[]; ttl: number } {
  const addresses = new Set<string>()
  let ttl = Number.POSITIVE_INFINITY
  let name: string | undefined = question.name
  for (let links = 0; links < CHAIN_LIMIT && name !== undefined; links++) {
    let next: string | undefined
    for (const answer of answers) {
      if (answer.name !== name) continue
      if (answer.type === question.type && answer.address)
        addresses.add(formatAddress(answer.address, 0, answer.address.length === 4 ? 4 : 6))
      else if (answer.target !== undefined) next = answer.target
      else continue
      ttl = Math.min(ttl, answer.ttl)
    }
    name = next
  }
  return { addresses: [...addresses], ttl }
}
