// Amounts of memory and disk as settings write them: `64MiB`, `500KB`, `1GiB`, or a plain number of bytes.

const units: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
}

/** Whole bytes; undefined when the text is no amount. */
export function parseByteSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([KMG]i?B|B|)$/.exec(text.trim()) ?? []
  if (amount === undefined) return undefined
  const bytes = Number(amount) * units[unit!]!
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

export function formatByteSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB', 'GB', 'MB', 'KB'])
    if (bytes >= units[unit]! && bytes % units[unit]! === 0) return `${bytes / units[unit]!}${unit}`
  return `${bytes}B`
}
