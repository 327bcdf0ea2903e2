// Addresses as texts in tests.
import { type AddressKey, parseAddressKey } from '../../lib/capture/address.ts'

export function addressKeyOf(text: string): AddressKey {
  const key = parseAddressKey(text)
  if (key === undefined) throw new Error(`${text} is no address`)
  return key
}
