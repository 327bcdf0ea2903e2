// What became of items on their way to one receiver: produced = delivered + superseded + lost + what waits.

export class ItemCounts {
  produced = 0
  delivered = 0
  /** Told again with newer values. */
  superseded = 0
  /** By reason. */
  readonly lost = new Map<string, number>()
  /** What is under way or waits. */
  readonly queue = { items: 0, bytes: 0 }

  begin(items: number, bytes: number): void {
    this.produced += items
    this.queue.items += items
    this.queue.bytes += bytes
  }

  end(items: number, bytes: number): void {
    this.queue.items -= items
    this.queue.bytes -= bytes
  }

  lose(items: number, reason: string): void {
    if (items > 0) this.lost.set(reason, (this.lost.get(reason) ?? 0) + items)
  }
}
