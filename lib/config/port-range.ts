// Ports as rules of the scope write them: `80`, `8000-8100/tcp`.

export interface PortRange {
  readonly first: number
  readonly last: number
  /** Absent: every transport that has ports. */
  readonly transport?: string
}

const HIGHEST_PORT = 65_535

/** undefined when the text is no `PORT[-LAST][/TRANSPORT]`. */
export function parsePorts(text: string): PortRange | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp|dccp))?$/.exec(text)
  if (!match) return undefined
  const first = Number(match[1])
  const last = match[2] === undefined ? first : Number(match[2])
  if (first < 1 || last < first || last > HIGHEST_PORT) return undefined
  return { first, last, ...(match[3] !== undefined && { transport: match[3] }) }
}
