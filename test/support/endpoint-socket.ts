// A TCP socket inside a network namespace that a test moves step by step: nothing blocks, each answer is the kernel's.
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { TestNamespace } from './namespaces.ts'
import { until } from './until.ts'

interface NativeSocket {
  bind(address: string, port: number): number
  connect(address: string, port: number): number
  listen(backlog: number): number
  set(level: number, name: number, value: number): number
  shutDown(): number
  takeError(): number
  accept(): NativeSocket | undefined
  send(bytes: number, flags: number, address?: string, port?: number): number
  receive(most: number): number
  localPort(): number
  state(): SocketState
  close(): void
}

interface NativeNetwork {
  readonly EndpointSocket: new (netns: string, family: number) => NativeSocket
}

export interface SocketState {
  readonly tcpState: number
  /** `tcpi_total_retrans`. */
  readonly retransmits: number
  /** Packets on the way. */
  readonly unacknowledged: number
}

/** netinet/tcp.h */
export const TcpState = { established: 1, finWait2: 5, timeWait: 6, closed: 7, closeWait: 8 } as const

/** asm-generic/socket.h and linux/tcp.h: [level, name]. */
export const SocketOption = {
  reuseAddress: [1, 2],
  sendBuffer: [1, 7],
  receiveBuffer: [1, 8],
  keepAlive: [1, 9],
  linger: [1, 13],
  noDelay: [6, 1],
  maximumSegment: [6, 2],
  keepIdle: [6, 4],
  keepInterval: [6, 5],
  synCount: [6, 7],
  linger2: [6, 8],
  userTimeout: [6, 18],
  fastOpen: [6, 23],
} as const

const MSG_FASTOPEN = 0x20000000
const { errno } = constants

const build = fileURLToPath(new URL('../../build/Release/podweir-kernel.node', import.meta.url))
const { EndpointSocket: Native } = createRequire(import.meta.url)(build) as NativeNetwork

export class EndpointSocket {
  readonly #native: NativeSocket
  readonly #who: string

  private constructor(native: NativeSocket, who: string) {
    this.#native = native
    this.#who = who
  }

  static open(namespace: TestNamespace, family: 4 | 6 = 4): EndpointSocket {
    return new EndpointSocket(new Native(namespace.path, family), namespace.name)
  }

  /** Listens on all addresses. */
  static listen(namespace: TestNamespace, port: number, backlog = 16): EndpointSocket {
    const socket = EndpointSocket.open(namespace)
    socket.set('reuseAddress', 1)
    socket.bind('0.0.0.0', port)
    socket.#check('listen', socket.#native.listen(backlog))
    return socket
  }

  get localPort(): number {
    return this.#native.localPort()
  }

  get state(): SocketState {
    return this.#native.state()
  }

  bind(address: string, port: number): this {
    this.#check('bind', this.#native.bind(address, port))
    return this
  }

  /** Of `linger` the value is the time in seconds: 0 makes `close` a reset. */
  set(option: keyof typeof SocketOption, value: number): this {
    const [level, name] = SocketOption[option]
    this.#check(`set ${option}`, this.#native.set(level, name, value))
    return this
  }

  /** Sends the SYN. */
  connect(address: string, port: number): this {
    const answer = this.#native.connect(address, port)
    if (answer !== errno.EINPROGRESS) this.#check('connect', answer)
    return this
  }

  /** TCP Fast Open: the SYN takes the data along where the kernel has a cookie. Returns how much of it was taken. */
  connectWith(bytes: number, address: string, port: number): number {
    const answer = this.#native.send(bytes, MSG_FASTOPEN, address, port)
    if (answer === -errno.EINPROGRESS) return 0
    this.#check('send with SYN', Math.max(0, -answer))
    return answer
  }

  /** Resolves when it is established. */
  async connected(): Promise<void> {
    await until(
      () => `${this.#who} is connected, it is in state ${this.state.tcpState}`,
      () => this.state.tcpState === TcpState.established,
    )
  }

  /** Resolves when its kernel has given it up. */
  async closed(): Promise<void> {
    await until(
      () => `${this.#who} is closed, it is in state ${this.state.tcpState}`,
      () => this.state.tcpState === TcpState.closed,
    )
  }

  /** The error that an attempt ended with, by name. */
  async error(limitMs?: number): Promise<string> {
    let error = 0
    await until(
      `${this.#who} has an error`,
      () => {
        error = this.#native.takeError()
        return error !== 0
      },
      { ...(limitMs !== undefined && { limitMs }) },
    )
    return Object.entries(errno).find(([, number]) => number === error)?.[0] ?? String(error)
  }

  async accept(): Promise<EndpointSocket> {
    let native: NativeSocket | undefined
    await until(`${this.#who} accepts a connection`, () => {
      native = this.#native.accept()
      return native !== undefined
    })
    return new EndpointSocket(native!, this.#who)
  }

  /** How many bytes the kernel took; 0 when it has no room. */
  send(bytes: number): number {
    const sent = this.#native.send(bytes, 0)
    if (sent === -errno.EAGAIN) return 0
    this.#check('send', Math.max(0, -sent))
    return sent
  }

  /** Waits for so many bytes. */
  async receive(bytes: number): Promise<void> {
    let left = bytes
    await until(
      () => `${this.#who} receives ${bytes} bytes, ${left} are missing`,
      () => {
        const got = this.#native.receive(left)
        if (got !== -errno.EAGAIN) this.#check('receive', Math.max(0, -got))
        if (got > 0) left -= got
        return left === 0
      },
    )
  }

  /** Resolves at the other side's FIN; what comes before is read and forgotten. */
  async ended(): Promise<void> {
    await until(`${this.#who} reads to the end`, () => {
      for (;;) {
        const got = this.#native.receive(1 << 20)
        if (got === 0) return true
        if (got === -errno.EAGAIN) return false
        this.#check('receive', Math.max(0, -got))
      }
    })
  }

  /** Everything sent was acknowledged. */
  async delivered(): Promise<void> {
    await until(`${this.#who} is acknowledged`, () => this.state.unacknowledged === 0)
  }

  /** Sends a FIN and goes on to receive. */
  shutDown(): void {
    this.#check('shut down', this.#native.shutDown())
  }

  close(): void {
    this.#native.close()
  }

  #check(step: string, error: number): void {
    if (error === 0) return
    const name = Object.entries(errno).find(([, number]) => number === error)?.[0] ?? error
    throw new Error(`${this.#who}: ${step}: ${name}`)
  }
}
