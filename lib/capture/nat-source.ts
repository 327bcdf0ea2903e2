// What the rest of the program needs of the module "conntrack": where the kernel sends flows that pods dialled.

export const Tracked = {
  /** The flow is over, or another connection has its addresses and ports by now. */
  gone: 0,
  /** Connection tracking of this network namespace does not know it. */
  untracked: 1,
  /** It goes where the pod sent it. */
  asSent: 2,
  /** It goes to the backend. */
  translated: 3,
  /** The kernel gave no answer. */
  failed: 4,
} as const

/** Row i is the flow that was asked for i-th. Arrays belong to the receiver. */
export interface Translations {
  /** `Tracked`. */
  readonly tracked: Uint8Array
  /** 16 bytes a row, IPv4 in the first 4. */
  readonly backendAddress: Uint8Array
  readonly backendPort: Uint16Array
}

export interface NatSource {
  /** Of flows of the table, each by its slot and generation. Never of a flow what is of a later one. */
  lookUp(slots: Uint32Array, generations: Uint32Array): Promise<Translations>
}
