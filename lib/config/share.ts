// Shares of a core as settings write them: `1%`, `0.5%`.

/** A fraction; undefined when the text is no share between the two percentages. */
export function shareBetween(text: string, least: number, most: number): number | undefined {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]
  if (percent === undefined || Number(percent) < least || Number(percent) > most) return undefined
  return Number((Number(percent) / 100).toPrecision(12))
}

export function formatShare(share: number): string {
  return share === 0 ? 'off' : `${Number((share * 100).toPrecision(12))}%`
}
