// What lookups are told apart by: the domain that somebody registered, or the Service, never the whole name.

/** Below a country's two letters these are taken by its registry itself: `example.co.uk` is what somebody registered. */
const SECOND_LEVEL = new Set(['ac', 'co', 'com', 'edu', 'go', 'gov', 'ne', 'net', 'or', 'org'])
/** What is longer or not plain is told as this. */
const OTHER = 'other'

/** `cart.shop.svc` of `cart.shop.svc.cluster.local`, else the last two labels, or three: `example.com`, `example.co.uk`. */
export function questionSuffix(name: string): string {
  if (name === '') return '.'
  if (!isPlainName(name)) return OTHER
  const labels = name.split('.')
  const service = labels.indexOf('svc', 2)
  // Behind it comes the cluster's own domain.
  if (service !== -1 && labels.length > service + 1) return labels.slice(service - 2, service + 1).join('.')
  const [second, top] = labels.slice(-2)
  const isCountrys = top?.length === 2 && second !== undefined && SECOND_LEVEL.has(second)
  return labels.slice(isCountrys ? -3 : -2).join('.')
}

/** Nothing in it was escaped, and it is as long as a name may be. */
export function isPlainName(name: string): boolean {
  return name.length > 0 && name.length <= 253 && !name.includes('\\')
}
