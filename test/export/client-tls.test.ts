import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { defaultTls, type TlsConfig } from '../../lib/config/tls.ts'
import { OtlpGrpcSender } from '../../lib/export/otlp-grpc-sender.ts'
import { OtlpHttpSender } from '../../lib/export/otlp-http-sender.ts'
import type { Sender, SendOutcome } from '../../lib/export/sender.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { Authority, type CertificateFiles, replaceFile } from '../support/certificates.ts'
import { HttpReceiver } from '../support/otlp-receivers.ts'
import { SecureReceiver } from '../support/secure-receiver.ts'

const request = { signal: 'traces', body: Buffer.from('x'), items: 1 } as const
const MINUTE = 60_000

let folder: string
let ours: Authority
let theirs: Authority
let server: CertificateFiles
let receiver: SecureReceiver
let elapsedMs: number
let senders: Sender[]

const clock = { ...systemClock, monotonicMs: () => elapsedMs }

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'podweir-tls-'))
  ours = new Authority(folder, 'our-authority')
  theirs = new Authority(folder, 'their-authority')
  server = ours.issue('localhost')
})

after(() => rmSync(folder, { recursive: true }))

beforeEach(() => {
  receiver = new SecureReceiver()
  elapsedMs = 0
  senders = []
})

afterEach(async () => {
  for (const sender of senders) await sender.close()
  await receiver.stop()
})

function describeBoth(title: string, tests: (make: (tls: Partial<TlsConfig>, host?: string) => Sender) => void): void {
  for (const protocol of ['otlp_grpc', 'otlp_http'])
    describe(`${protocol}: ${title}`, () =>
      tests((tls, host = 'localhost') => {
        const base = `https://${host}:${receiver.port}`
        const target = { headers: {}, compression: 'none', timeoutMs: 5000, tls: { ...defaultTls, ...tls } } as const
        const sender =
          protocol === 'otlp_grpc'
            ? new OtlpGrpcSender({ targets: { traces: { ...target, endpoint: base } }, clock })
            : new OtlpHttpSender({
                targets: { traces: { ...target, endpoint: `${base}/v1/traces` } },
                encoding: 'proto',
                clock,
              })
        senders.push(sender)
        return sender
      }))
}

function why(outcome: SendOutcome): string {
  assert.equal(outcome.kind, 'retry')
  return outcome.kind === 'retry' ? outcome.error.message : ''
}

async function takes(sender: Sender): Promise<void> {
  assert.deepEqual(await sender.send(request), { kind: 'delivered', rejected: 0 })
}

describeBoth('whom it trusts', make => {
  it('trusts the configured authority and no other', async () => {
    await receiver.start(server)
    await takes(make({ caFile: ours.certFile }))
    assert.match(why(await make({}).send(request)), /showed a certificate that is not trusted: .*; check tls.ca_file/)
    const outcome = await make({ caFile: theirs.certFile }).send(request)
    assert.match(why(outcome), /not trusted/)
  })

  it('trusts nobody who shows a certificate for another name', async () => {
    await receiver.start(ours.issue('elsewhere'))
    const outcome = await make({ caFile: ours.certFile }).send(request)
    assert.match(why(outcome), /showed a certificate for another name: .*check the endpoint, or set tls.server_name_ov/)
    await takes(make({ caFile: ours.certFile, serverName: 'elsewhere' }))
    assert.equal(receiver.serverNames.at(-1), 'elsewhere')
  })

  it('finds a receiver by its address when it is told the name on the certificate', async () => {
    await receiver.start(server)
    await takes(make({ caFile: ours.certFile, serverName: 'localhost' }, '127.0.0.1'))
  })

  it('believes whoever answers when that is what was asked for, and only then', async () => {
    await receiver.start(theirs.issue('elsewhere'))
    assert.match(why(await make({ caFile: ours.certFile }).send(request)), /not trusted|another name/)
    await takes(make({ caFile: ours.certFile, insecureSkipVerify: true }))
  })

  it('speaks no TLS older than it is told to, and never one older than 1.2', async () => {
    await receiver.start({ ...server, maxVersion: 'TLSv1.2' })
    await takes(make({ caFile: ours.certFile }))
    assert.equal((await make({ caFile: ours.certFile, minVersion: '1.3' }).send(request)).kind, 'retry')
    await receiver.stop()
    await receiver.start({ ...server, maxVersion: 'TLSv1.1' })
    assert.equal((await make({ caFile: ours.certFile }).send(request)).kind, 'retry')
  })

  it('stops the start for a file that is not there, or is no certificate', async () => {
    await receiver.start(server)
    assert.throws(() => make({ caFile: '/nonexistent/ca.pem' }), { name: 'Failure', subject: '/nonexistent/ca.pem' })
    const garbage = join(folder, 'garbage.pem')
    writeFileSync(garbage, 'no certificate')
    const { keyFile } = ours.issue('client')
    assert.throws(() => make({ certFile: garbage, keyFile }), /read certificate .*garbage.pem/)
  })
})

describeBoth('where there is no TLS', make => {
  it('says what to change', async () => {
    const plain = new HttpReceiver()
    await plain.start()
    receiver.port = plain.port
    try {
      assert.match(
        why(await make({}).send(request)),
        /does not speak TLS; write the endpoint with http:\/\/ or set tls.ins/,
      )
    } finally {
      await plain.stop()
    }
  })
})

describeBoth('as whom it is known', make => {
  it('shows its certificate to a receiver that asks for one', async () => {
    await receiver.start({ ...server, clientCaFile: ours.certFile })
    await takes(make({ caFile: ours.certFile, ...ours.issue('agent-1') }))
    assert.deepEqual(receiver.clients, ['agent-1'])
    assert.equal((await make({ caFile: ours.certFile }).send(request)).kind, 'retry')
    assert.equal((await make({ caFile: ours.certFile, ...theirs.issue('agent-2') }).send(request)).kind, 'retry')
    assert.deepEqual(receiver.clients, ['agent-1'])
  })
})

describeBoth('certificates that are renewed while it runs', make => {
  let files: { caFile: string; certFile: string; keyFile: string }

  beforeEach(() => {
    files = {
      caFile: join(folder, 'live-ca.pem'),
      certFile: join(folder, 'live.pem'),
      keyFile: join(folder, 'live-key.pem'),
    }
    copyFileSync(ours.certFile, files.caFile)
    renew(ours.issue('first'))
  })

  function renew(by: CertificateFiles): void {
    replaceFile(files.certFile, by.certFile)
    replaceFile(files.keyFile, by.keyFile)
  }

  it('shows the new one on a new connection, as soon as it looks', async () => {
    await receiver.start({ ...server, clientCaFile: ours.certFile })
    const sender = make({ ...files, reloadMs: MINUTE })
    await takes(sender)
    renew(ours.issue('second'))
    elapsedMs += MINUTE - 1
    await takes(sender)
    elapsedMs += 1
    await takes(sender)
    await takes(sender)
    assert.deepEqual(receiver.clients, ['first', 'first', 'second', 'second'])
  })

  it('goes on with the old one while half of the new one is there', async () => {
    await receiver.start({ ...server, clientCaFile: ours.certFile })
    const sender = make({ ...files, reloadMs: MINUTE })
    await takes(sender)
    const second = ours.issue('second')
    replaceFile(files.certFile, second.certFile)
    elapsedMs += MINUTE
    await takes(sender)
    replaceFile(files.keyFile, second.keyFile)
    elapsedMs += MINUTE
    await takes(sender)
    assert.deepEqual(receiver.clients, ['first', 'first', 'second'])
  })

  it('never looks when it is told not to', async () => {
    await receiver.start({ ...server, clientCaFile: ours.certFile })
    const sender = make({ ...files, reloadMs: 0 })
    await takes(sender)
    renew(ours.issue('second'))
    elapsedMs += 10 * MINUTE
    await takes(sender)
    assert.deepEqual(receiver.clients, ['first', 'first'])
  })

  it('trusts a receiver that comes back with a certificate of another authority', async () => {
    await receiver.start(server)
    const sender = make({ caFile: files.caFile, reloadMs: MINUTE })
    await takes(sender)
    await receiver.stop()
    await receiver.start(theirs.issue('localhost'))
    assert.match(why(await sender.send(request)), /not trusted|unavailable|ECONNRESET/)
    replaceFile(files.caFile, theirs.certFile)
    elapsedMs += MINUTE
    await takes(sender)
  })
})
