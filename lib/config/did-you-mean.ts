// The nearest allowed word to a mistyped one.

/** ` (did you mean 'host'?)`, or nothing when no word is near. */
export function didYouMean(word: string, allowed: readonly string[]): string {
  let nearest: string | undefined
  let fewest = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of allowed) {
    const edits = editDistance(word.toLowerCase(), candidate)
    if (edits < fewest) {
      fewest = edits
      nearest = candidate
    }
  }
  return nearest === undefined ? '' : ` (did you mean '${nearest}'?)`
}

/** Levenshtein's distance, with two neighbours exchanged counting as one edit. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let edits = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, beforePrevious[j - 2]! + 1)
      }
      row.push(edits)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}
