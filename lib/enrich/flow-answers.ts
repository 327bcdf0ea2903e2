// What was found out about single flows, kept as long as they are in the table.
import type { RemotePoint } from '../aggregate/identity.ts'
import type { AddressKey } from '../capture/address.ts'
import { type FlowColumns, Retired } from '../capture/flow-batch.ts'
import { DialledFlows, type Endpoint } from './dialled-flows.ts'

export interface FlowAnswer {
  readonly generation: number
  /** It may be another while the flow goes on. */
  readonly mayChange: boolean
}

export class FlowAnswers<Answer extends FlowAnswer> {
  /** By slot. */
  readonly #answers = new Map<number, Answer>()
  /** Named, and nobody has asked for them yet; by slot. */
  #wanted = new Map<number, { readonly generation: number; readonly endpoint: Endpoint }>()
  /** Ended in the batch that was counted last. */
  #over: { readonly slot: number; readonly generation: number }[] = []
  /** Of `#answers`. */
  #changeable = 0

  /** undefined: nobody has asked yet, and will. */
  of(address: AddressKey, { slot, generation = 0, protocol, port }: RemotePoint): Answer | undefined {
    if (slot === undefined) return undefined
    const answer = this.known(slot, generation)
    if (!answer) this.#wanted.set(slot, { generation, endpoint: { address, protocol, port } })
    return answer
  }

  known(slot: number, generation: number): Answer | undefined {
    const answer = this.#answers.get(slot)
    return answer?.generation === generation ? answer : undefined
  }

  give(slot: number, answer: Answer): void {
    this.#changeable += Number(answer.mayChange) - Number(this.#answers.get(slot)?.mayChange ?? false)
    this.#answers.set(slot, answer)
  }

  /** Each is told once. */
  takeWanted(): DialledFlows {
    const wanted = new DialledFlows()
    for (const [slot, { generation, endpoint }] of this.#wanted) wanted.add(slot, generation, endpoint)
    if (this.#wanted.size > 0) this.#wanted = new Map()
    return wanted
  }

  /** To be called with each batch before it is counted: rows that end a flow are named once more. */
  begin({ length, slot, generation, ended }: FlowColumns): void {
    for (const flow of this.#over) if (this.known(flow.slot, flow.generation)) this.#forget(flow.slot)
    this.#over = []
    if (this.#answers.size === 0) return
    for (let i = 0; i < length; i++)
      if (ended[i] !== Retired.no) this.#over.push({ slot: slot[i]!, generation: generation[i]! })
  }

  /** Calls back with the flows that moved and whose answer may be another by now. */
  eachChangeable(
    { length, slot, generation, ended }: FlowColumns,
    visit: (slot: number, answer: Answer) => void,
  ): void {
    if (this.#changeable === 0) return
    for (let i = 0; i < length; i++) {
      if (ended[i] !== Retired.no) continue
      const answer = this.known(slot[i]!, generation[i]!)
      if (answer?.mayChange) visit(slot[i]!, answer)
    }
  }

  #forget(slot: number): void {
    this.#changeable -= Number(this.#answers.get(slot)?.mayChange ?? false)
    this.#answers.delete(slot)
  }
}
