// TCP connections that this process opens, from the moment of connecting until nothing of them is on its way any more.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import type { Clock } from './clock.ts'

interface OwnConnection {
  readonly address: string
  closedAtMs: number
}

/** Node tells of each socket of a client before it connects. */
const CHANNEL = 'net.client.socket'
/** Packets of a closed connection, sent again, can begin a flow of their own. */
const LATE_MS = 10_000
/** A flow is told of up to a minute after its beginning (`drain_interval`). */
const REMEMBERED_MS = 120_000

export class OwnConnections {
  readonly #clock: Clock
  /** By our port and the one that was dialled. */
  readonly #connections = new Map<string, OwnConnection[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** From now on; what is connected already is not known. */
  watch(): void {
    subscribe(CHANNEL, this.#onSocket)
  }

  close(): void {
    unsubscribe(CHANNEL, this.#onSocket)
    this.#connections.clear()
  }

  /** Our addresses in connections from one port to another that were there at that time; nearly always none. */
  addresses(port: number, dialledPort: number, atMs: number): readonly string[] {
    const found = this.#connections.get(keyOf(port, dialledPort)) ?? []
    return found.filter(({ closedAtMs }) => atMs <= closedAtMs + LATE_MS).map(({ address }) => address)
  }

  get size(): number {
    return this.#connections.size
  }

  readonly #onSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    const ours: OwnConnection[] = []
    let dialledPort = 0
    const note = () => {
      const { localAddress, localPort } = socket
      if (localAddress === undefined || localPort === undefined || dialledPort === 0) return
      const connection = { address: withoutMapping(localAddress), closedAtMs: Number.POSITIVE_INFINITY }
      this.#add(keyOf(localPort, dialledPort), connection)
      ours.push(connection)
    }
    // The kernel binds within connect(), which follows: before any packet of it can have been drained the port is known.
    socket.on('connectionAttempt', (_address: string, port: number) => {
      dialledPort = port
      process.nextTick(note)
    })
    socket.on('close', () => {
      for (const connection of ours) connection.closedAtMs = this.#clock.nowMs()
    })
  }

  #add(key: string, connection: OwnConnection): void {
    this.#forgetOld()
    const known = this.#connections.get(key) ?? []
    this.#connections.set(key, [...known, connection])
  }

  #forgetOld(): void {
    const nowMs = this.#clock.nowMs()
    for (const [key, connections] of this.#connections) {
      const left = connections.filter(({ closedAtMs }) => nowMs <= closedAtMs + REMEMBERED_MS)
      if (left.length === 0) this.#connections.delete(key)
      else this.#connections.set(key, left)
    }
  }
}

function keyOf(port: number, dialledPort: number): string {
  return `${port} ${dialledPort}`
}

/** A socket of both families shows IPv4 as `::ffff:10.0.0.1`; the packets have `10.0.0.1`. Nor have they a zone. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
}
