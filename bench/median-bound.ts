// How low a median may be, from order statistics alone: nothing is assumed of how values are spread.

const ERROR = 0.05
export const FEWEST_VALUES = 5

/**
 * One-sided 95 %: the k-th least value, with the largest k for which the true median is below it in less than 5 % of
 * all cases. That is a binomial sum: below it are k values of n or fewer when each is below by a coin's toss.
 */
export function lowerBoundOfMedian(values: readonly number[]): number {
  const n = values.length
  if (n < FEWEST_VALUES) throw new Error(`${n} values have no bound of 95 %: it takes ${FEWEST_VALUES}`)
  const sorted = values.toSorted((a, b) => a - b)
  let k = 0
  let probability = 0.5 ** n
  for (let sum = probability; sum <= ERROR; sum += probability) {
    k++
    probability *= (n - k + 1) / k
  }
  return sorted[k - 1]!
}
