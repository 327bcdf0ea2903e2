// Which connections of this process are known as such, and for how long. Real sockets, a clock that the test sets.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { OwnConnections } from '../../lib/host/own-connections.ts'

describe('OwnConnections', () => {
  let nowMs: number
  let own: OwnConnections
  let server: Server
  let port: number

  beforeEach(async () => {
    nowMs = 1_000_000
    own = new OwnConnections({ nowMs: () => nowMs, monotonicMs: () => 0 })
    own.watch()
    server = createServer(socket => socket.resume().on('end', () => socket.end())).listen(0, '::')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterEach(() => {
    own.close()
    server.close()
  })

  async function opened(host: string): Promise<{ socket: Socket; localPort: number }> {
    const socket = connect({ host, port })
    await once(socket, 'connect')
    return { socket, localPort: socket.localPort! }
  }

  async function closed(socket: Socket): Promise<void> {
    socket.destroy()
    await once(socket, 'close')
  }

  it('knows a connection before its first packet can have been read', async () => {
    const socket = connect({ host: '127.0.0.1', port })
    await once(socket, 'connectionAttempt')
    await Promise.resolve()
    await new Promise(resolve => process.nextTick(resolve))
    assert.equal(socket.connecting, true)
    assert.deepEqual(own.addresses(socket.localPort!, port, nowMs), ['127.0.0.1'])
    await once(socket, 'connect')
    await closed(socket)
  })

  for (const host of ['127.0.0.1', '::1'])
    it(`knows it by address and both ports: ${host}`, async () => {
      const { socket, localPort } = await opened(host)
      assert.deepEqual(own.addresses(localPort, port, nowMs), [host])
      assert.deepEqual(own.addresses(port, localPort, nowMs), [])
      await closed(socket)
    })

  it('knows a flow that begins up to 10 s after the end, and no later one on the same ports', async () => {
    const { socket, localPort } = await opened('127.0.0.1')
    await closed(socket)
    nowMs += 60_000
    assert.equal(own.addresses(localPort, port, nowMs - 50_000).length, 1)
    assert.equal(own.addresses(localPort, port, nowMs - 49_999).length, 0)
  })

  it('forgets what ended two minutes ago, and nothing that is open', async () => {
    const first = await opened('127.0.0.1')
    const second = await opened('127.0.0.1')
    await closed(first.socket)
    nowMs += 120_001
    const third = await opened('127.0.0.1')
    assert.equal(own.size, 2)
    assert.equal(own.addresses(second.localPort, port, nowMs).length, 1)
    await closed(second.socket)
    await closed(third.socket)
  })

  it('knows an attempt that is refused', async () => {
    const free = createServer().listen(0, '127.0.0.1')
    await once(free, 'listening')
    const { port: refusing } = free.address() as AddressInfo
    free.close()
    await once(free, 'close')
    const socket = connect(refusing, '127.0.0.1')
    const refused = once(socket, 'error')
    const { promise, resolve } = Promise.withResolvers<number>()
    socket.on('connectionAttempt', () => process.nextTick(() => resolve(socket.localPort!)))
    const localPort = await promise
    assert.match(String(await refused), /ECONNREFUSED/)
    assert.equal(own.addresses(localPort, refusing, nowMs).length, 1)
  })

  it('watches nothing any more when it is closed', async () => {
    own.close()
    const { socket, localPort } = await opened('127.0.0.1')
    assert.deepEqual(own.addresses(localPort, port, nowMs), [])
    await closed(socket)
  })
})
