import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { connect, createServer, type Socket, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Metadata, Server, ServerCredentials } from '@grpc/grpc-js'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { AggregationTemporality, InstrumentType, type PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { afterEach, describe, it } from 'mocha'
import { createOtlpGrpcExporter } from '../../lib/export/otlp.ts'
import { systemClock } from '../../lib/host/clock.ts'
import { otlpGrpcConfig } from '../support/exporter-config.ts'
import { point, request, sum } from '../support/resource-metrics.ts'

const nothing = Buffer.alloc(0)
const metrics = request([sum('a', [point(1)])])
let endings: (() => unknown)[] = []

afterEach(async () => {
  for (const end of endings.reverse()) await end()
  endings = []
})

/** A receiver that answers with these bytes, which no Collector does on demand. */
async function receiver(response: Buffer, credentials = ServerCredentials.createInsecure()) {
  const server = new Server()
  const got: { metadata: Metadata; bytes: number }[] = []
  const bytesAsTheyAre = (bytes: Buffer) => bytes
  const method = {
    path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytesAsTheyAre,
    requestDeserialize: bytesAsTheyAre,
    responseSerialize: bytesAsTheyAre,
    responseDeserialize: bytesAsTheyAre,
  } as const
  server.addService(
    { export: method },
    {
      export: (call: { metadata: Metadata; request: Buffer }, answer: (error: null, response: Buffer) => void) => {
        got.push({ metadata: call.metadata, bytes: call.request.length })
        answer(null, response)
      },
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  )
  endings.push(() => server.forceShutdown())
  return { port, got }
}

function exporterFor(settings: { endpoint: string } & Record<string, unknown>, environment = {}): PushMetricExporter {
  const exporter = createOtlpGrpcExporter(otlpGrpcConfig(settings, environment), systemClock)
  endings.push(() => exporter.shutdown())
  return exporter
}

function send(exporter: PushMetricExporter): Promise<ExportResult> {
  return new Promise(done => exporter.export(metrics, done))
}

async function failureOf(exporter: PushMetricExporter): Promise<string> {
  const { code, error } = await send(exporter)
  assert.equal(code, ExportResultCode.FAILED)
  return error?.message ?? ''
}

/** Takes connections and never says a word. */
async function silentServer(): Promise<number> {
  const sockets: { destroy(): void }[] = []
  const server: TcpServer = createServer(socket => void sockets.push(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  endings.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

function partialSuccess(rejected: number, message: string): Buffer {
  const inner = Buffer.concat([Buffer.from([0x08, rejected, 0x12, message.length]), Buffer.from(message)])
  return Buffer.concat([Buffer.from([0x0a, inner.length]), inner])
}

describe('otlp_grpc exporter', () => {
  it('sends headers and reports success', async () => {
    const { port, got } = await receiver(nothing)
    const exporter = exporterFor({ endpoint: `http://127.0.0.1:${port}`, headers: { Authorization: 'Bearer x' } })
    assert.equal((await send(exporter)).code, ExportResultCode.SUCCESS)
    assert.deepEqual(got[0]?.metadata.get('authorization'), ['Bearer x'])
    assert.match(String(got[0]?.metadata.get('user-agent')), /^podweir /)
  })

  it('sends gzip when asked to', async () => {
    const server = createHttp2Server()
    const encodings: unknown[] = []
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      encodings.push(headers['grpc-encoding'])
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' }, { endStream: true })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    endings.push(() => server.close())
    const endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
    assert.match(await failureOf(exporterFor({ endpoint, compression: 'gzip' })), /does not take OTLP metrics/)
    await send(exporterFor({ endpoint, compression: 'none' }))
    assert.deepEqual(encodings, ['gzip', undefined])
  })

  it('reports rejected points as a failure, with the receiver’s reason', async () => {
    const { port } = await receiver(partialSuccess(3, 'too old'))
    const message = await failureOf(exporterFor({ endpoint: `http://127.0.0.1:${port}` }))
    assert.equal(message, `127.0.0.1:${port} took the request but rejected 3 of its points: too old`)
  })

  it('takes a message without rejected points for a success', async () => {
    const { port } = await receiver(partialSuccess(0, 'prefer gzip'))
    const exporter = exporterFor({ endpoint: `http://127.0.0.1:${port}` })
    assert.equal((await send(exporter)).code, ExportResultCode.SUCCESS)
  })

  it('names the receiver that refuses the connection', async () => {
    const port = await silentServer()
    await endings.pop()?.()
    const message = await failureOf(exporterFor({ endpoint: `http://127.0.0.1:${port}` }))
    assert.equal(message, `127.0.0.1:${port} refused the connection`)
  })

  it('gives up on a receiver that never answers', async () => {
    const port = await silentServer()
    const message = await failureOf(exporterFor({ endpoint: `http://127.0.0.1:${port}`, timeout: '200ms' }))
    assert.equal(message, `127.0.0.1:${port} did not answer in time`)
  })

  it('dials anew when a connection goes dead without a word, although another exporter has the same endpoint', async () => {
    const { port } = await receiver(nothing)
    const pairs: [Socket, Socket][] = []
    const wire = createServer(near => {
      const far = connect(port, '127.0.0.1')
      pairs.push([near, far])
      for (const socket of [near, far]) socket.on('error', () => {})
      near.pipe(far).pipe(near)
    })
    wire.listen(0, '127.0.0.1')
    await once(wire, 'listening')
    endings.push(() => {
      for (const socket of pairs.flat()) socket.destroy()
      wire.close()
    })
    const endpoint = `http://127.0.0.1:${(wire.address() as { port: number }).port}`
    const [exporter, other] = [exporterFor({ endpoint, timeout: '300ms' }), exporterFor({ endpoint })]
    assert.equal((await send(exporter)).code, ExportResultCode.SUCCESS)
    assert.equal((await send(other)).code, ExportResultCode.SUCCESS)
    const [near, far] = pairs[0]!
    near.unpipe(far)
    far.unpipe(near)
    assert.match(await failureOf(exporter), /did not answer in time/)
    assert.equal((await send(exporter)).code, ExportResultCode.SUCCESS)
    assert.equal(pairs.length, 3)
  })

  it('ends at once while a receiver keeps it waiting', async () => {
    const port = await silentServer()
    const exporter = exporterFor({ endpoint: `http://127.0.0.1:${port}`, timeout: '60s' })
    const sent = send(exporter)
    await exporter.shutdown()
    assert.equal((await sent).code, ExportResultCode.FAILED)
  })

  it('says what to change when the receiver speaks no TLS', async () => {
    const { port } = await receiver(nothing)
    const message = await failureOf(exporterFor({ endpoint: `localhost:${port}` }))
    assert.match(message, /does not speak TLS; write the endpoint with http:\/\/ or set tls.insecure: true/)
  })

  it('leaves TLS out for host:port with tls.insecure', async () => {
    const { port } = await receiver(nothing)
    const exporter = exporterFor({ endpoint: `127.0.0.1:${port}`, tls: { insecure: true } })
    assert.equal((await send(exporter)).code, ExportResultCode.SUCCESS)
  })

  it('trusts the configured certificate authority and no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podweir-tls-'))
    endings.push(() => rmSync(folder, { recursive: true }))
    const [keyFile, caFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    execFileSync('openssl', ['req', '-x509', '-nodes', ...curve, ...subject, '-keyout', keyFile, '-out', caFile], {
      stdio: 'pipe',
    })
    const pair = { private_key: readFileSync(keyFile), cert_chain: readFileSync(caFile) }
    const { port } = await receiver(nothing, ServerCredentials.createSsl(null, [pair]))
    const endpoint = `https://localhost:${port}`
    assert.equal((await send(exporterFor({ endpoint, tls: { ca_file: caFile } }))).code, ExportResultCode.SUCCESS)
    assert.match(await failureOf(exporterFor({ endpoint })), /showed a certificate that is not trusted.*tls.ca_file/)
  })

  it('asks for a name where TLS can’t take an address', async () => {
    const { port } = await receiver(nothing)
    assert.match(await failureOf(exporterFor({ endpoint: `https://127.0.0.1:${port}` })), /for TLS write the name/)
  })

  it('stops the start for a certificate file that is not there', () => {
    const config = { endpoint: 'https://127.0.0.1:4317', tls: { ca_file: '/nonexistent/ca.pem' } }
    assert.throws(() => exporterFor(config), { name: 'Failure', subject: '/nonexistent/ca.pem' })
  })

  it('takes from the standard environment variables what the configuration leaves open', async () => {
    const { port, got } = await receiver(nothing)
    const environment = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20y,x-tenant=environment',
    }
    const exporter = createOtlpGrpcExporter(
      otlpGrpcConfig({ headers: { 'X-Tenant': 'file' } }, environment),
      systemClock,
    )
    endings.push(() => exporter.shutdown())
    assert.equal((await send(exporter)).code, ExportResultCode.SUCCESS)
    assert.deepEqual(got[0]?.metadata.get('authorization'), ['Bearer y'])
    assert.deepEqual(got[0]?.metadata.get('x-tenant'), ['file'])
  })

  it('wants cumulative sums', () => {
    const exporter = exporterFor({ endpoint: 'http://127.0.0.1:4317' })
    const temporality = exporter.selectAggregationTemporality?.(InstrumentType.COUNTER)
    assert.equal(temporality, AggregationTemporality.CUMULATIVE)
  })
})
