// A TCP path to a port of loopback that can be cut, or fall silent, while both ends stay as they are.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttablePath {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #target: number
  #isCut = false

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer(near => {
      if (this.#isCut) return void near.destroy()
      const far = connect(this.#target, '127.0.0.1')
      const pair = [near, far] as const
      this.#pairs.add(pair)
      for (const [from, to] of [pair, [far, near] as const]) {
        from.on('data', data => to.write(data))
        from.on('error', () => {})
        from.on('close', () => {
          this.#pairs.delete(pair)
          to.destroy()
        })
      }
    })
  }

  static async to(target: number): Promise<CuttablePath> {
    const path = new CuttablePath(target)
    path.#server.listen(0, '127.0.0.1')
    await once(path.#server, 'listening')
    return path
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get connections(): number {
    return this.#pairs.size
  }

  /** To another port, for connections from now on. */
  leadTo(target: number): void {
    this.#target = target
  }

  /** Ends every connection, and each one that is tried. */
  cut(): void {
    this.#isCut = true
    for (const [near] of this.#pairs) near.destroy()
  }

  mend(): void {
    this.#isCut = false
  }

  /** Nothing comes through any more on the connections that there are, and nobody hears of it. */
  silence(): void {
    for (const pair of this.#pairs)
      for (const socket of pair) {
        socket.removeAllListeners('data')
        socket.on('data', () => {})
      }
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
