// A process that changes a device over and over, as a CNI does, and says how long each change took: it waits for RTNL.
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const EVERY_MS = 5

const { timeLinkChange } = createRequire(import.meta.url)(
  fileURLToPath(new URL('../build/Release/podweir-kernel.node', import.meta.url)),
) as { timeLinkChange(device: string, queueLength: number): number }

// Who measures closes our stdin when it has enough.
process.stdin.resume().on('end', () => process.exit())
for (let i = 0; ; i++) {
  const nanoseconds = timeLinkChange('lo', 1000 + (i % 2))
  process.stdout.write(`${Date.now()} ${nanoseconds}\n`)
  await sleep(EVERY_MS)
}
