// What becomes of requests that a server has not looked at, because it was about to end the connection.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { ClusterConnection } from '../../lib/kubernetes/cluster-connection.ts'
import { Authority } from '../support/certificates.ts'

describe('a connection to the API server', () => {
  let folder: string
  let server: Http2SecureServer
  let connection: ClusterConnection
  let connections = 0
  let answer: (stream: ServerHttp2Stream, authorization: string | undefined, nthConnection: number) => void

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'podweir-connection-'))
    const authority = new Authority(folder, 'authority')
    const { certFile, keyFile } = authority.issue('localhost')
    server = createSecureServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) })
    connections = 0
    server.on('session', session => {
      const nth = ++connections
      session.on('error', () => {})
      session.on('stream', (stream, headers) => {
        stream.on('error', () => {})
        answer(stream, headers.authorization, nth)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    let token = 'old'
    connection = new ClusterConnection(
      {
        server: new URL(`https://localhost:${(server.address() as AddressInfo).port}`),
        tls: async () => ({ ca: readFileSync(authority.certFile) }),
        authorization: async fresh => {
          if (fresh) token = 'new'
          return token
        },
      },
      'test',
    )
  })
  afterEach(() => {
    connection.close()
    server.close()
    rmSync(folder, { recursive: true })
  })

  const refuse = (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM)

  function accept(stream: ServerHttp2Stream): void {
    stream.respond({ ':status': 200 })
    stream.end()
  }

  async function statuses(count: number): Promise<number[]> {
    const { signal } = new AbortController()
    const answers = Array.from({ length: count }, () => connection.get('/x', 'application/json', signal))
    return (await Promise.all(answers)).map(({ status, body }) => {
      body.resume()
      return status
    })
  }

  it('sends again what was on its way when the server refused the token and ended the connection', async () => {
    let seen = 0
    answer = (stream, authorization, nth) => {
      if (nth > 1) return authorization === 'new' ? accept(stream) : refuse(stream)
      if (++seen > 1) return refuse(stream)
      stream.respond({ ':status': 401 })
      stream.end()
    }
    assert.deepEqual(await statuses(1), [200])
    assert.deepEqual(await statuses(4), [200, 200, 200, 200])
    assert.equal(connections, 2)
  })

  it('does not go on for ever with a server that looks at nothing', async () => {
    let seen = 0
    answer = stream => {
      seen++
      refuse(stream)
    }
    await assert.rejects(statuses(1), /NGHTTP2_REFUSED_STREAM/)
    assert.deepEqual([seen, connections], [2, 2])
  })
})
