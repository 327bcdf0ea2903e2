// What a sender is given: bytes in the receiver's format.
import type { Signal } from '../config/signal.ts'

/** Encoded once; sent as often as it takes. */
export interface EncodedRequest {
  readonly signal: Signal
  readonly body: Uint8Array
  /** Points, spans or log records. */
  readonly items: number
}

/** A Collector's gRPC receiver refuses more than 4 MiB, compressed or not. */
export const LARGEST_REQUEST = 3 * 1024 * 1024

/** Makes requests of one format, none larger than `LARGEST_REQUEST` unless a single item is. */
export interface EventEncoder<Item> {
  encode(items: readonly Item[]): EncodedRequest[]
}
