// Waiting, but not for ever.

/** Resolves when it is done, or when the time is over. */
export async function within(ms: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const isOver = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([done, isOver])
  clearTimeout(timer)
}
