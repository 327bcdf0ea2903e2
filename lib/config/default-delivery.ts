// How long and how much waits for a receiver whose exporter has no settings of it.
import type { DeliveryConfig } from './exporter-delivery.ts'

export const defaultDelivery: DeliveryConfig = {
  retry: { enabled: true, initialMs: 1000, maxMs: 30_000, multiplier: 1.5, maxElapsedMs: 0 },
  queue: { bytes: 16 * 2 ** 20, items: 65_536 },
}
