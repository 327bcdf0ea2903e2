// Pods behind a router that translates both ends: who dials the Service's address is somebody else to who answers.
import { ipBatch, linksUp } from '../../lib/demo/iproute.ts'
import { runTrafficCommand } from '../../lib/demo/traffic-program.ts'
import { TestNamespace } from './namespaces.ts'

export const SERVICE = { address: '10.99.0.1', port: 80 } as const
export const SERVER_PORT = 8080
/** As the servers see every client. */
export const ROUTER = '10.81.2.1'

const RULES = (server: string) => `
table ip translation {
  chain in { type nat hook prerouting priority dstnat; ip daddr ${SERVICE.address} tcp dport ${SERVICE.port} dnat to ${server}:${SERVER_PORT}; }
  chain out { type nat hook postrouting priority srcnat; oifname "to2" masquerade; }
}`

export class TranslatedPath {
  /** Two clients and between them the server, each in a network of its own. */
  readonly pods: readonly TestNamespace[]
  readonly #router: TestNamespace

  constructor(prefix = `pwt${process.pid}n`) {
    const pod = (number: number) =>
      new TestNamespace(`${prefix}-${number}`, { v4: `10.81.${number}.2`, v6: '', mac: '' })
    this.pods = [1, 2, 3].map(pod)
    this.#router = new TestNamespace(`${prefix}-r`, { v4: ROUTER, v6: '', mac: '' })
  }

  get server(): TestNamespace {
    return this.pods[1]!
  }

  async create(): Promise<void> {
    const all = [...this.pods, this.#router].map(({ name }) => name)
    await ipBatch(all.map(name => `netns add ${name}`))
    await runTrafficCommand('sysctl', { netns: all.join(','), arguments: ['net/ipv6/conf/default/disable_ipv6=1'] })
    await runTrafficCommand('sysctl', { netns: this.#router.name, arguments: ['net/ipv4/ip_forward=1'] })
    await ipBatch(
      this.pods.map(
        ({ name }, i) => `link add eth0 netns ${name} type veth peer name to${i + 1} netns ${this.#router.name}`,
      ),
    )
    for (const [i, pod] of this.pods.entries()) {
      await this.#router.ip(`address add 10.81.${i + 1}.1/24 dev to${i + 1}`, `link set to${i + 1} up`)
      const addressed = [`address add ${pod.addresses.v4}/24 dev eth0`, 'link set eth0 up', 'link set lo up']
      await pod.ip(...addressed, `route add default via 10.81.${i + 1}.1`)
      await linksUp(['eth0'], pod.name)
    }
    await this.#router.run('nft', RULES(this.server.addresses.v4))
  }

  async remove(): Promise<void> {
    await Promise.all(this.pods.map(pod => pod.stopPrograms()))
    for (const { name } of [...this.pods, this.#router]) await ipBatch([`netns del ${name}`]).catch(() => {})
  }
}
