// How requests leave the program, whatever the protocol: one implementation for each kind of receiver.
import type { EncodedRequest } from '../encode/encoded-request.ts'

export type SendOutcome =
  /** The receiver has it, but for the `rejected` items that it will never take. */
  | { readonly kind: 'delivered'; readonly rejected: number; readonly message?: string }
  /** May be sent again as it is; `afterMs`: not before, says the receiver (Retry-After, RetryInfo). */
  | { readonly kind: 'retry'; readonly afterMs?: number; readonly error: Error }
  /** It will never be taken. */
  | { readonly kind: 'refused'; readonly error: Error }

export interface Sender {
  /** Never throws. One at a time for each signal. */
  send(request: EncodedRequest): Promise<SendOutcome>
  /** Gives up what is under way. */
  close(): Promise<void>
}
