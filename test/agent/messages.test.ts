// What the command line says when something is wrong: place, cause and remedy on stderr, nothing on stdout, and an exit
// code of 2 for what the user wrote, 1 for what failed.
import assert from 'node:assert/strict'
import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'mocha'
import { freePort } from '../support/collector.ts'
import { Namespaces, type TestNamespace } from '../support/namespaces.ts'
import { PodweirProcess, type ProcessOptions } from '../support/podweir-process.ts'
import { skip } from '../support/skip.ts'
import { AgentFolder, inventoryOf, podIn } from './agent-folder.ts'

const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
const without = (...capabilities: string[]) => {
  const dropped = capabilities.map(name => `-${name}`).join(',')
  return { through: ['setpriv', `--bounding-set=${dropped}`, `--inh-caps=${dropped}`] }
}

let folder: AgentFolder
let namespaces: Namespaces
let a: TestNamespace

const inventory = () => inventoryOf(podIn('a', a))

/** The last two lines of stderr are `podweir: what: why` and `  → remedy`; more lines of the cause may be between them. */
async function assertRefused(verb: string[], code: 1 | 2, what: RegExp, remedy: RegExp, options?: ProcessOptions) {
  const ended = await new PodweirProcess(verb, options).end()
  assert.deepEqual([ended.code, ended.stdout], [code, ''], ended.stderr)
  const told = ended.stderr.slice(ended.stderr.indexOf('podweir: '))
  const [said = '', todo = ''] = told.trimEnd().split('\n  → ')
  assert.match(said, what)
  assert.match(todo, remedy)
  assert.doesNotMatch(ended.stderr, /mistake of ours|libbpf|^ +at /m)
}

function agent(file: string): string[] {
  return ['agent', '--config', file]
}

describe('the command line says', function () {
  this.timeout(30_000)

  before(async function () {
    if (process.getuid?.() !== 0) skip(this, 'needs root to load kernel programs')
    namespaces = new Namespaces()
    ;({ a } = await namespaces.createPair())
  })
  beforeEach(() => {
    folder = new AgentFolder()
    chmodSync(folder.path, 0o755)
  })
  afterEach(() => folder?.remove())
  after(() => namespaces?.remove())

  it('where the settings are wrong, and what is allowed', async () => {
    const file = folder.write('wrong.yaml', 'receivers:\n  podweir:\n    attach: everywhere\n')
    const what = /check configuration .*: .*wrong\.yaml:3:13: receivers\.podweir\.attach: 'everywhere'.*auto, host, pod/
    await assertRefused(agent(file), 2, what, /correct this place/)
  })

  it('that there are no settings, and no inventory, where it was told to look', async () => {
    const missing = join(folder.path, 'missing.yaml')
    await assertRefused(agent(missing), 1, /read configuration .*missing\.yaml: no such file/, /check the path/)
    const settings = folder.settings({ receiver: { inventory: missing } })
    await assertRefused(agent(settings), 1, /read inventory .*missing\.yaml: no such file/, /check the path/)
  })

  it('where the inventory is wrong', async () => {
    const file = folder.settings({ inventory: 'pods:\n  - { namespace: test, nom: a }\n' })
    const what = /check inventory .*: .*inventory\.yaml:2:5: pods\[0\]\.name: is missing/s
    await assertRefused(agent(file), 2, what, /correct th/)
  })

  it('that an ordinary user lacks the rights, to run the agent and the demo', async () => {
    const file = folder.settings({ inventory: inventory() })
    const nobody = { through: NOBODY }
    const missing = /load flow\.bpf\.o: Operation not permitted\nmissing: CAP_BPF, CAP_NET_ADMIN$/
    await assertRefused(agent(file), 1, missing, /run as root, or grant CAP_BPF/, nobody)
    await assertRefused(['demo'], 1, /start demo: .*needs root/, /run: sudo \.\/podweir demo/, nobody)
  })

  for (const [dropped, missing] of [
    ['bpf', 'CAP_BPF'],
    ['net_admin', 'CAP_NET_ADMIN'],
  ] as const)
    it(`that ${missing} is missing when kernel programs are loaded`, async () => {
      const file = folder.settings({ inventory: inventory() })
      const what = RegExp(`load flow\\.bpf\\.o: Operation not permitted\\nmissing: ${missing}$`)
      await assertRefused(agent(file), 1, what, /run as root, or grant/, without(dropped, 'sys_admin'))
    })

  it('that CAP_SYS_ADMIN is missing to enter a namespace, and CAP_NET_ADMIN to read its counters', async () => {
    const entering = await folder.started({ inventory: inventory() }, without('sys_admin'))
    const told =
      /^attach test\/a \(.*inventory\.yaml:2:\d+\): enter namespace .*: Operation not .*\nmissing: CAP_SYS_ADMIN;/
    assert.equal(entering.messages(told).length, 1, entering.messages(/./).join('\n'))
    await entering.end('SIGTERM')
    const reading = await folder.started({ inventory: inventory() }, without('net_admin'))
    const unread = /^attach test\/a \(.*inventory\.yaml:2:\d+\): .*: Operation not permitted\nmissing: CAP_NET_ADMIN;/
    assert.equal(reading.messages(unread).length, 1, reading.messages(/./).join('\n'))
  })

  it('that another agent has the socket, and which socket', async () => {
    const settings = { inventory: inventory() }
    await folder.started(settings)
    const what = /open the API at .*agent\.sock: endpoint in use: another agent/
    // In one network namespace the second would be refused before.
    const apart = { through: ['unshare', '--net'] }
    await assertRefused(
      agent(folder.settings(settings)),
      1,
      what,
      /stop the other agent, or set extensions\.api/,
      apart,
    )
    assert.equal((await folder.status()).interfaces.length, 1)
  })

  it('nothing of a socket that a killed agent left', async () => {
    const killed = await folder.started({ inventory: inventory() })
    await killed.end('SIGKILL')
    assert.ok(existsSync(folder.socket))
    await folder.started({ inventory: inventory() })
    assert.equal((await folder.status()).interfaces.length, 1)
  })

  it('once that the Collector is not there, and that it is there again', async () => {
    const port = await freePort()
    const running = await folder.started({ inventory: inventory(), otlp: `http://127.0.0.1:${port}` })
    await running.logged(/refused/)
    // Requests go every 200 ms.
    await new Promise(resolve => setTimeout(resolve, 2_000))
    const message = `exporter otlp_grpc: 127.0.0.1:${port} refused the connection; the counts stay and go with the next request`
    assert.deepEqual(running.messages(/otlp_grpc:/), [message])
    const { exporters } = await folder.status()
    assert.ok(exporters[0]!.failures >= 5, JSON.stringify(exporters))
  })

  it('that no agent runs, to one who asks for flows', async () => {
    const verb = ['flows', '--socket', folder.socket]
    await assertRefused(verb, 1, /ask for flows at .*agent\.sock: no agent runs here/, /sudo \.\/podweir agent/)
  })
})
