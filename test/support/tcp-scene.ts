// Two ends that make connections step by step, what is told of them, and what their kernels counted. a opens, b answers.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Opener } from '../../lib/capture/flow-batch.ts'
import type { ProbeOptions } from '../../lib/capture/native-probe.ts'
import { runTrafficCommand } from '../../lib/demo/traffic-program.ts'
import type { ObservedFlow } from './connections.ts'
import { EndpointSocket } from './endpoint-socket.ts'
import type { TestNamespace } from './namespaces.ts'
import { sealed } from './sealed-packet.ts'
import { type End, TcpPath } from './tcp-path.ts'
import { until } from './until.ts'

export const PORT = 8080
const ROUTER = { address: '10.77.0.3', mac: '02:77:00:00:00:03' }

/** What is told of a flow, but for its figures. */
export interface Story {
  readonly opener: number
  readonly opened: number
  readonly failed: readonly string[]
  readonly closed: readonly string[]
  readonly state: string
}

export interface Talk {
  readonly client: EndpointSocket
  readonly accepted: EndpointSocket
}

export class TcpScene {
  readonly path: TcpPath
  readonly #sockets: EndpointSocket[] = []

  private constructor(path: TcpPath) {
    this.path = path
  }

  static async open(options: Partial<ProbeOptions> = {}): Promise<TcpScene> {
    return new TcpScene(await TcpPath.open(options))
  }

  /** Podweir comes with `path.observe()`. */
  static async unobserved(): Promise<TcpScene> {
    return new TcpScene(await TcpPath.unobserved())
  }

  /** Is closed at the end. */
  own(socket: EndpointSocket): EndpointSocket {
    this.#sockets.push(socket)
    return socket
  }

  /** At b. */
  listen(port = PORT): EndpointSocket {
    return this.own(EndpointSocket.listen(this.path.b, port))
  }

  socketAt(end: End): EndpointSocket {
    return this.own(EndpointSocket.open(this.path[end]))
  }

  /** From a, from a port of its own where one is given. */
  dial(localPort = 0): EndpointSocket {
    const socket = this.socketAt('a').set('reuseAddress', 1)
    if (localPort > 0) socket.bind(this.path.a.addresses.v4, localPort)
    return socket.connect(this.path.b.addresses.v4, PORT)
  }

  /** A connection with data both ways. */
  async talk(server: EndpointSocket, client = this.dial()): Promise<Talk> {
    const accepted = this.own(await server.accept())
    await client.connected()
    client.send(1000)
    await accepted.receive(1000)
    accepted.send(500)
    await client.receive(500)
    await accepted.delivered()
    return { client, accepted }
  }

  /** The client ends it, then the server. */
  async end({ client, accepted }: Talk): Promise<void> {
    client.close()
    await accepted.ended()
    accepted.close()
  }

  /** The one who resets it is `by`. */
  async reset(talk: Talk, by: keyof Talk): Promise<void> {
    talk[by].set('linger', 0).close()
    assert.equal(await talk[by === 'client' ? 'accepted' : 'client'].error(), 'ECONNRESET')
  }

  /** The server does not read until its window is closed and was probed, then it reads all. */
  async closeWindow({ client, accepted }: Talk): Promise<number> {
    const probes = async () => (await this.kernel('a', 'TCPWinProbe')).TCPWinProbe
    const before = await probes()
    let put = 0
    await until('the client has filled the window and probes it', async () => {
      put += fill(client)
      return (await probes()) >= before + 3
    })
    await accepted.receive(put)
    await client.delivered()
    return put
  }

  /** Closed before its answer comes: that one finds nobody. */
  async giveUp(): Promise<void> {
    const dropper = this.path.dropAt('a', { flags: 'SA', first: 1 })
    const client = this.dial()
    await until('the answer was lost', () => dropper.lost === 1)
    client.close()
    const resets = async () => (await this.kernel('b', 'EmbryonicRsts')).EmbryonicRsts
    await until('the next one was reset', async () => (await resets()) === 1)
    dropper.close()
  }

  /** A short connection whose SYN takes data along if the kernel has a cookie for that. */
  async talkFast(server: EndpointSocket): Promise<void> {
    const client = this.socketAt('a')
    const taken = client.connectWith(1000, this.path.b.addresses.v4, PORT)
    const accepted = this.own(await server.accept())
    await client.connected()
    if (taken === 0) client.send(1000)
    await accepted.receive(1000)
    accepted.send(500)
    await client.receive(500)
    client.close()
    await accepted.ended()
    accepted.close()
  }

  /**
   * A router in the middle that answers for two networks that they are out of reach (10.78.1.0/24) or forbidden
   * (10.78.2.0/24), and is silent about a third (10.78.3.0/24).
   */
  async addRouter(): Promise<void> {
    const { a, hop } = this.path
    await this.sysctlIn(hop.middle, 'net/ipv4/ip_forward=1')
    await hop.middle.ip(
      `link set bridge address ${ROUTER.mac}`,
      `address add ${ROUTER.address}/24 dev bridge`,
      `neighbour add ${a.addresses.v4} lladdr ${a.addresses.mac} dev bridge nud permanent`,
      'route add unreachable 10.78.1.0/24',
      'route add prohibit 10.78.2.0/24',
      'route add blackhole 10.78.3.0/24',
    )
    await a.ip(
      `neighbour add ${ROUTER.address} lladdr ${ROUTER.mac} dev eth0 nud permanent`,
      `route add 10.78.0.0/16 via ${ROUTER.address}`,
    )
  }

  /** A frame that an end sends past its TCP. */
  async inject(end: End, packet: Uint8Array): Promise<void> {
    const [from, to] = end === 'a' ? [this.path.a, this.path.b] : [this.path.b, this.path.a]
    const folder = mkdtempSync(join(tmpdir(), 'podweir-frame-'))
    try {
      writeFileSync(join(folder, 'frame'), sealed(packet, from.addresses, to.addresses))
      await from.traffic('raw', '--device', 'eth0', '--count', 1, '--file', join(folder, 'frame'))
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  sysctl(end: End, ...settings: string[]): Promise<void> {
    return this.sysctlIn(this.path[end], ...settings)
  }

  async sysctlIn({ name }: TestNamespace, ...settings: string[]): Promise<void> {
    await runTrafficCommand('sysctl', { netns: name, arguments: settings })
  }

  /** What is told of all flows that an end saw, in the order of their first packets. */
  tell(end: End, ...stories: Partial<Story>[]): void {
    const opener = end === 'a' ? Opener.local : Opener.remote
    const expected = stories.map(told => ({ opener, opened: 0, failed: [], closed: [], state: 'none', ...told }))
    assert.deepEqual(this.path.seenAt(end).map(storyOf), expected, `as ${end} sees it`)
  }

  /** At both ends. */
  tellBoth(...stories: Partial<Story>[]): void {
    this.tell('a', ...stories)
    this.tell('b', ...stories)
  }

  /** Figures of nstat in a namespace since it was made: `ActiveOpens` is TcpActiveOpens, `EmbryonicRsts` is of TcpExt. */
  async kernel<const Name extends string>(end: End, ...names: Name[]): Promise<Record<Name, number>> {
    const counters = await this.path[end].protocols()
    const figures = names.map(name => [name, counters[`Tcp${name}`] ?? counters[`TcpExt${name}`] ?? counters[name]])
    return Object.fromEntries(figures) as Record<Name, number>
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.splice(0)) socket.close()
    await this.path.close()
  }
}

function storyOf({ opener, opened, failed, closed, state }: ObservedFlow): Story {
  return { opener, opened, failed: [...failed], closed: [...closed], state }
}

/** Sends until the kernel has no room. */
function fill(socket: EndpointSocket): number {
  let put = 0
  for (;;) {
    const sent = socket.send(1 << 20)
    if (sent === 0) return put
    put += sent
  }
}
