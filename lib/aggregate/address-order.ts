// Which of two addresses is the lower, as the capture hands them over: 16 bytes in network order, IPv4 in the first 4.

export const ADDRESS_BYTES = 16

/** Unsigned byte order: negative when the first is the lower. */
export function compareAddresses(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): number {
  for (let i = 0; i < ADDRESS_BYTES; i++) {
    const difference = a[aOffset + i]! - b[bOffset + i]!
    if (difference !== 0) return difference
  }
  return 0
}
