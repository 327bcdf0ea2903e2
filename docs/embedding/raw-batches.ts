// What one pod's flows do, as it is counted: no names, no OpenTelemetry.
import { openProbe } from 'podweir'

const [netns = '/run/netns/web', device = 'eth0'] = process.argv.slice(2)
await using probe = await openProbe()
const { hook } = await probe.attach({ netns, device })
console.error(`attached by ${hook}`)
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
for await (const flow of probe.flows({ everyMs: 500, signal: stop.signal })) {
  const { local, remote, transport, sent, received } = flow
  console.log(
    `${transport} ${local.address}:${local.port} ${remote.address}:${remote.port} ${sent.bytes} ${received.bytes}`,
  )
}
