// Sends lines to a socket of Telegraf, or of whoever reads them there.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { InfluxExporterConfig } from '../config/influx-exporter.ts'
import type { EncodedRequest } from '../encode/encoded-request.ts'
import { datagramsOf } from './line-datagrams.ts'
import { connectionFailure } from './otlp-failure.ts'
import type { Sender, SendOutcome } from './sender.ts'

const delivered: SendOutcome = { kind: 'delivered', rejected: 0 }

/**
 * A request is a connection. What is delivered has been read: the other end closes its side when it has read ours to the
 * end, and what ends in any other way is sent again.
 */
export class LineTcpSender implements Sender {
  readonly #config: InfluxExporterConfig
  #socket: Socket | undefined

  constructor(config: InfluxExporterConfig) {
    this.#config = config
  }

  async send({ body }: EncodedRequest): Promise<SendOutcome> {
    if (body.length === 0) return delivered
    const { endpoint, timeoutMs } = this.#config
    const socket = connect(addressOf(endpoint))
    this.#socket = socket
    const timer = setTimeout(() => socket.destroy(new Error('did not answer in time')), timeoutMs)
    try {
      const closed = once(socket, 'close')
      socket.resume().end(body)
      await once(socket, 'end')
      await closed
      return delivered
    } catch (error) {
      return connectionFailure(endpoint, error as Error).outcome()
    } finally {
      clearTimeout(timer)
      this.#socket = undefined
    }
  }

  async close(): Promise<void> {
    this.#socket?.destroy(new Error('the exporter is closed'))
  }
}

/** So many datagrams are sent at once; then whoever reads them gets a moment. */
const BURST = 32
const PAUSE_MS = 1

/** Nobody answers: what is delivered has left the machine, and was not sent back as having no reader. */
export class LineUdpSender implements Sender {
  readonly #endpoint: string
  #socket: UdpSocket | undefined
  #error: Error | undefined

  constructor({ endpoint }: InfluxExporterConfig) {
    this.#endpoint = endpoint
  }

  async send({ body }: EncodedRequest): Promise<SendOutcome> {
    try {
      const socket = await this.#connected()
      const datagrams = datagramsOf(body)
      for (let from = 0; from < datagrams.length; from += BURST) {
        await Promise.all(datagrams.slice(from, from + BURST).map(datagram => sent(socket, datagram)))
        await sleep(PAUSE_MS)
        if (this.#error) throw this.#error
      }
      return delivered
    } catch (error) {
      await this.close()
      return connectionFailure(this.#endpoint, error as Error).outcome()
    }
  }

  async close(): Promise<void> {
    const socket = this.#socket
    this.#socket = undefined
    socket
      ?.removeAllListeners('error')
      .on('error', () => {})
      .close()
  }

  async #connected(): Promise<UdpSocket> {
    if (this.#socket) return this.#socket
    const { host, port } = addressOf(this.#endpoint)
    this.#error = undefined
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    this.#socket = socket
    socket.connect(port, host)
    await once(socket, 'connect')
    // The kernel says what came back of an earlier datagram.
    socket.on('error', error => {
      this.#error = error
    })
    return socket
  }
}

function sent(socket: UdpSocket, datagram: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => socket.send(datagram, error => (error ? reject(error) : resolve())))
}

function addressOf(endpoint: string): { host: string; port: number } {
  const colon = endpoint.lastIndexOf(':')
  return { host: endpoint.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(endpoint.slice(colon + 1)) }
}
