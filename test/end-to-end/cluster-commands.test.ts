// The commands for clusters that the documentation has, as they stand there, on a real API server that has no nodes.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { after, before, describe, it } from 'mocha'
import { Helm } from '../support/helm.ts'
import { buildKubernetes, ControlPlane } from '../support/kubernetes.ts'
import { runTakeOffJob } from '../support/take-off-job.ts'

const root = new URL('../../', import.meta.url).pathname

/** Blocks of a page that are for a cluster: those with helm or kubectl. */
function blocksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)]
    .map(([, block]) => block!)
    .filter(block => /^(helm|kubectl) /m.test(block))
}

const [installed] = blocksOf('README.md')
const [, byManifest] = blocksOf('docs/install.md')
const [upgraded] = blocksOf('docs/operations.md')
const [uninstalled, deleted, detached] = blocksOf('docs/uninstall.md')

describe('commands of the documentation', function () {
  this.timeout('2m')
  let folder = ''
  let plane: ControlPlane
  let environment: NodeJS.ProcessEnv

  before('build Helm, build and start the control plane', async function () {
    this.timeout('50m')
    await buildKubernetes(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-commands-'))
    plane = await ControlPlane.start({ folder })
    const { program } = await Helm.ensure(4, folder)
    environment = {
      HOME: folder,
      KUBECONFIG: plane.kubeconfig,
      PATH: `${dirname(program)}:${plane.folder}:/usr/bin:/bin`,
    }
    await plane.kubectl('delete', '-f', join(root, 'deploy/rbac.yaml'))
  })

  after('stop the control plane', async function () {
    this.timeout('1m')
    await plane?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const run = async (block: string | undefined) => {
    assert.ok(block, 'the page has no such commands any more')
    await promisify(execFile)('bash', ['-euc', block], { cwd: root, env: environment })
  }
  const args = () =>
    plane.kubectl(
      ...'-n podweir-system get daemonset podweir -o jsonpath={.spec.template.spec.containers[0].args}'.split(' '),
    )
  const left = () =>
    plane.kubectl(
      '-n',
      'podweir-system',
      'get',
      'daemonset,configmap',
      '-l',
      'app.kubernetes.io/name=podweir',
      '-o',
      'name',
    )

  it('are all run here', () => {
    const pages = ['README.md', 'docs/install.md', 'docs/operations.md', 'docs/uninstall.md']
    assert.deepEqual(
      pages.map(page => blocksOf(page).length),
      [1, 2, 1, 3],
    )
  })

  it('install, upgrade and uninstall by Helm', async () => {
    await run(installed)
    assert.equal(await args(), '["agent","--config","/etc/podweir/agent.yaml"]')
    await run(upgraded)
    const settings = await plane.kubectl(...'-n podweir-system get configmap podweir -o jsonpath={.data}'.split(' '))
    assert.match(settings, /detail: full/)
    const [{ code }] = await Promise.all([runTakeOffJob(plane, 'podweir-system'), run(uninstalled)])
    assert.equal(code, 0)
    assert.equal(await left(), '')
  })

  it('install by manifests, take everything off and uninstall', async () => {
    await plane.kubectl('delete', 'namespace', 'podweir-system')
    await run(byManifest)
    assert.equal(await args(), '["agent","--config","/etc/podweir/agent.yaml"]')
    await run(detached)
    assert.equal(await args(), '["detach","--stay"]')
    const spec = JSON.parse(await plane.kubectl(...'-n podweir-system get daemonset podweir -o json'.split(' '))).spec
    const { livenessProbe, readinessProbe, startupProbe, securityContext } = spec.template.spec.containers[0]
    assert.deepEqual(
      [livenessProbe, readinessProbe, startupProbe, spec.minReadySeconds],
      [undefined, undefined, undefined, 5],
    )
    assert.deepEqual(securityContext.capabilities.add, ['BPF', 'NET_ADMIN', 'SYS_PTRACE', 'SYS_ADMIN'])
    await run(deleted)
    assert.doesNotMatch(await plane.kubectl('get', 'namespace,clusterrole', '-o', 'name'), /podweir/)
  })
})
