// Pushes requests into a queue with a spool, as fast as they are accepted, and says of each when it was: until it is killed,
// or, from a number on, until all of them are delivered.
import { defaultTls } from '../../lib/config/tls.ts'
import { OtlpHttpSender } from '../../lib/export/otlp-http-sender.ts'
import { RequestQueue } from '../../lib/export/request-queue.ts'
import { RequestSpool } from '../../lib/export/request-spool.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { createLog } from '../../lib/host/log.ts'

const [directory, url, first, last] = process.argv.slice(2) as [string, string, string, string]
const log = createLog('silent')
const tls = { ...defaultTls, insecure: true }
const target = { endpoint: url, headers: {}, compression: 'none', timeoutMs: 2000, tls } as const
const spool = await RequestSpool.open({ id: 'file_storage', directory, maxBytes: 1e9, fsync: 'never' }, log)
const queue = new RequestQueue({
  ...{ id: 'otlp_http', signal: 'logs', log, clock: systemClock },
  sender: new OtlpHttpSender({ targets: { logs: target }, encoding: 'proto', clock: systemClock }),
  retry: { enabled: true, initialMs: 5, maxMs: 20, multiplier: 1.5, maxElapsedMs: 0 },
  limits: { bytes: 1e9, items: 1e9 },
  spool: await spool.folder('otlp_http', 'logs'),
})
for (let i = Number(first); i < Number(last); i++) {
  // The same number is another body in another process: a second one with it would show.
  const body = Buffer.from(`${i} of ${process.pid} ${'.'.repeat(i % 5000)}`)
  await queue.push({ signal: 'logs', body, items: 1 })
  process.stdout.write(`${i}\n`)
}
await queue.drained()
await queue.close(1000)
await spool.close()
process.exit(0)
