// The chart through both majors of Helm, and everything that it renders through a real API server.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'mocha'
import { parse, parseAllDocuments } from 'yaml'
import { manifest, manifests, NAMESPACE, render } from '../../deploy/kubernetes/manifests.ts'
import { configOf } from '../../lib/config/config.ts'
import { NOT_YET } from '../../lib/config/not-yet.ts'
import { YamlDocument } from '../../lib/config/yaml-document.ts'
import { chart, Helm } from '../support/helm.ts'
import { buildKubernetes, ControlPlane } from '../support/kubernetes.ts'
import { ensureServer } from '../support/server-process.ts'
import { runProgram, runTakeOffJob } from '../support/take-off-job.ts'
import { until } from '../support/until.ts'

interface KubernetesObject {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> }
  readonly data?: Record<string, string>
  readonly spec?: PodHolder
}

interface PodHolder {
  readonly template: { readonly metadata: { readonly annotations: Record<string, string> }; readonly spec: PodSpec }
}

interface PodSpec {
  readonly hostPID?: boolean
  readonly hostNetwork?: boolean
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
}

interface Container {
  readonly args: readonly string[]
  readonly env?: readonly unknown[]
  readonly securityContext: Readonly<Record<string, unknown>>
}

const secret = 'resolver.tlsSecret=podweir-resolver-tls'
const LINUX = { 'kubernetes.io/os': 'linux' }
/** Every value that changes what is rendered. */
const renderings: Readonly<Record<string, readonly string[]>> = {
  standard: [],
  restricted: ['profile=restricted'],
  'restricted with drops': ['profile=restricted', 'config.receivers.podweir.modules.drops=on'],
  resolver: ['resolver.enabled=true', secret],
  'restricted with a resolver': ['profile=restricted', 'resolver.enabled=true', secret, 'resolver.replicas=3'],
  'a resolver, exposed': [
    ...['resolver.enabled=true', secret, 'resolver.podDisruptionBudget.enabled=false'],
    'resolver.networkPolicy.enabled=false',
  ],
  'settings of every kind': [
    ...[
      'config.service.extensions={api}',
      'config.exporters.otlp_grpc.endpoint=collector.{{ .Release.Namespace }}:4317',
    ],
    ...[
      'config.service.telemetry.logs.level=debug',
      'clusterName=production',
      'config.receivers.podweir.flow_limit=1048576',
    ],
  ],
  'an endpoint with headers': [...['otlp.endpoint=https://collector:4317', 'otlp.headersSecret.name=collector']],
  'everything beside': [
    ...['image.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000'],
    ...[
      'imagePullSecrets[0].name=registry',
      'seccomp.profile=runtimeDefault',
      'appArmor=',
      'extraCapabilities={PERFMON}',
    ],
    ...[
      'extraEnv[0].name=A',
      'extraEnv[0].value=b',
      'podLabels.team=network',
      'podAnnotations.note=yes',
      'priorityClassName=',
    ],
    ...['extraVolumes[0].name=more', 'extraVolumes[0].emptyDir.medium=Memory'],
    ...['extraVolumeMounts[0].name=more', 'extraVolumeMounts[0].mountPath=/more'],
    ...[
      'serviceAccount.annotations.role=reader',
      'extraManifests[0].apiVersion=v1',
      'extraManifests[0].kind=ConfigMap',
    ],
    'extraManifests[0].metadata.name=more-{{ .Release.Name }}',
  ],
  'nothing of ours to look after': ['serviceAccount.create=false', 'rbac.create=false', 'existingConfigMap=mine'],
  'rules for alerts': ['prometheusRule.enabled=true', 'prometheusRule.labels.release=prometheus'],
  'without a hook': ['uninstall.takeOff=false'],
  'without seccomp': ['seccomp.profile=unconfined', 'fullnameOverride=weir'],
}

describe('the chart', function () {
  this.timeout('2m')
  let folder = ''
  let plane: ControlPlane
  let helm: Helm
  let helm3: Helm

  before('build Helm, build and start the control plane', async function () {
    this.timeout('50m')
    await buildKubernetes(this)
    folder = mkdtempSync(join(tmpdir(), 'podweir-chart-'))
    plane = await ControlPlane.start({ folder })
    const definitions = await ensureServer('prometheus-rules', '0.85.0')
    await plane.kubectl('create', '-f', definitions)
    await plane.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
    helm = await Helm.ensure(4, folder, plane.kubeconfig)
    helm3 = await Helm.ensure(3, folder, plane.kubeconfig)
  })

  after('stop the control plane', async function () {
    this.timeout('1m')
    await plane?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const objectsOf = (text: string) =>
    parseAllDocuments(text).flatMap(each => (each.toJS() as KubernetesObject | null) ?? [])
  const podOf = (text: string, kind = 'DaemonSet') => objectsOf(text).find(each => each.kind === kind)!.spec!.template
  const accept = async (text: string) => {
    const file = join(folder, 'rendered.yaml')
    writeFileSync(file, text)
    await plane.kubectl(
      ...'apply --server-side --force-conflicts --dry-run=server --validate=strict -f'.split(' '),
      file,
      '-n',
      NAMESPACE,
    )
  }

  for (const [name, values] of Object.entries(renderings)) {
    it(`is rendered alike by Helm 3 and 4, and accepted by the API server: ${name}`, async () => {
      const text = render(helm.program, values)
      assert.deepEqual(objectsOf(text), objectsOf(render(helm3.program, values)))
      await accept(text)
    })

    it(`writes settings that the programs take without a warning: ${name}`, () => {
      const settings = objectsOf(render(helm.program, values)).flatMap(({ data }) =>
        Object.entries(data ?? {}).filter(([file]) => file.endsWith('.yaml')),
      )
      for (const [file, text] of settings) {
        const values = { environment: { K8S_NODE_NAME: 'node-1' }, fileText: () => '' }
        const config = configOf(new YamlDocument([{ name: file, text }], values), values.environment, NOT_YET)
        assert.deepEqual([config.warnings, config.healthCheck?.port], [[], 13133], text)
      }
    })
  }

  for (const [file, rendering] of Object.entries(manifests))
    it(`is what deploy/manifests/${file} was made of, and the API server takes that`, async () => {
      const text = readFileSync(new URL(`../../deploy/manifests/${file}`, import.meta.url), 'utf8')
      assert.equal(text, manifest(helm.program, rendering), 'npm run build:chart, and commit what it writes')
      await accept(text)
    })

  for (const [profile, capabilities, hostPID] of [
    ['standard', ['BPF', 'NET_ADMIN', 'SYS_PTRACE', 'SYS_ADMIN'], true],
    ['restricted', ['BPF', 'NET_ADMIN'], false],
  ] as const)
    it(`gives the agent exactly the rights of ${profile}`, () => {
      const { spec } = podOf(render(helm.program, [`profile=${profile}`]))
      const { appArmorProfile: _, ...context } = spec.containers[0]!.securityContext
      assert.deepEqual([spec.hostPID, spec.hostNetwork], [hostPID, true])
      assert.match((context.seccompProfile as { localhostProfile: string }).localhostProfile, /^podweir\/.*\.json$/)
      assert.deepEqual(
        { ...context, seccompProfile: undefined },
        {
          ...{ privileged: false, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsUser: 0 },
          ...{ capabilities: { drop: ['ALL'], add: capabilities }, seccompProfile: undefined },
        },
      )
      for (const { securityContext } of spec.initContainers!)
        assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] })
    })

  it('adds CAP_PERFMON for the module drops alone', () => {
    const values = ['profile=restricted', 'config.receivers.podweir.modules.drops=on']
    const { capabilities } = podOf(render(helm.program, values)).spec.containers[0]!.securityContext
    assert.deepEqual(capabilities, { drop: ['ALL'], add: ['BPF', 'NET_ADMIN', 'PERFMON'] })
  })

  it('makes other pods of other settings, and the same pods of the same', () => {
    const checksum = (values: readonly string[]) =>
      podOf(render(helm.program, values)).metadata.annotations['checksum/config']
    assert.equal(checksum([]), checksum(['podLabels.team=network']))
    assert.notEqual(checksum([]), checksum(['config.receivers.podweir.detail=full']))
  })

  it('keeps the kubelet’s probes whatever the settings say', () => {
    const text = render(helm.program, ['config.service.extensions={api}'])
    const settings = objectsOf(text).find(({ data }) => data?.['agent.yaml'] !== undefined)!.data!['agent.yaml']!
    assert.deepEqual(parse(settings).service.extensions, ['api', 'health_check'])
  })

  for (const [name, args, what] of [
    ['a value that there is not', ['--set', 'profil=restricted'], /profil/],
    ['a setting that there is not', ['--set', 'config.receivers.podweir.atach=host'], /atach/],
    ['a word that a setting does not know', ['--set', 'config.receivers.podweir.attach=hoost'], /attach/],
    [
      'the pod’s end for restricted',
      ['--set', 'profile=restricted,config.receivers.podweir.attach=pod'],
      /profile: standard/,
    ],
    [
      'two sources of settings',
      ['--set', 'existingConfigMap=a,config.receivers.podweir.detail=full'],
      /exclude each other/,
    ],
    ['a resolver that nobody would ask', ['--set', 'existingConfigMap=a,resolver.enabled=true'], /use config/],
  ] as const)
    it(`refuses ${name}`, async () => {
      for (const each of [helm, helm3])
        assert.match(await each.refusal('template', 'x', chart, '--kube-version', '1.36.0', ...args), what)
    })

  it('refuses a namespace whose Pod Security Standard forbids its pods, and says what to do', async () => {
    await plane.kubectl('create', 'namespace', 'strict')
    await plane.kubectl('label', 'namespace', 'strict', 'pod-security.kubernetes.io/enforce=restricted')
    for (const each of [helm, helm3]) {
      const said = await each.refusal('install', 'strict', chart, '-n', 'strict')
      assert.match(said, /namespace strict enforces the Pod Security Standard "restricted"/)
      assert.match(said, /kubectl label namespace strict --overwrite pod-security.kubernetes.io\/enforce=privileged/)
    }
  })

  it('is installed, upgraded with the same certificate, and uninstalled, by each major', async () => {
    for (const [name, each] of Object.entries({ weir4: helm, weir3: helm3 })) {
      const resolver = ['--set', 'resolver.enabled=true']
      const notes = await each.run('install', name, chart, '-n', name, '--create-namespace', ...resolver)
      assert.match(notes, new RegExp(`helm uninstall ${name} -n ${name}`))
      const certificate = () =>
        plane.kubectl('-n', name, 'get', 'secret', `${name}-podweir-resolver-tls`, '-o', 'jsonpath={.data}')
      const before = await certificate()
      await each.run('upgrade', name, chart, '-n', name, ...resolver, '--set', 'config.receivers.podweir.detail=full')
      assert.equal(await certificate(), before)
      const [{ code, said }] = await Promise.all([
        runTakeOffJob(plane, name),
        each.run('uninstall', name, '-n', name, '--timeout', '60s'),
      ])
      assert.deepEqual([code, said], [0, 'everything is taken off\n'])
      const kinds = 'all,cm,secret,sa,role,rolebinding,pdb,networkpolicy'
      const left = await plane.kubectl('get', kinds, '-n', name, '-o', 'name')
      const ours = left.split('\n').filter(each => each.includes('podweir'))
      assert.deepEqual(ours, [])
      assert.doesNotMatch(await plane.kubectl('get', 'clusterrole,clusterrolebinding', '-o', 'name'), new RegExp(name))
    }
  })

  describe('before it is uninstalled', () => {
    const values = ['--set', 'uninstall.limitSeconds=30']
    const program = (daemonset: string, seconds: number) =>
      runProgram(plane, 'held', 'held-podweir-take-off', [
        ...['--namespace=held', `--daemonset=${daemonset}`, `--limit-seconds=${seconds}`],
        ...['--selector=app.kubernetes.io/component=agent', '--patch=/program/detach.json'],
      ])

    before('install it, without the Job', async () => {
      await helm.run('install', 'held', chart, '-n', 'held', '--create-namespace', ...values)
      const hooks = (await helm.run('get', 'hooks', 'held', '-n', 'held')).split(/^---$/m)
      const file = join(folder, 'hooks.yaml')
      writeFileSync(file, hooks.filter(text => !/^kind: Job$/m.test(text)).join('---\n'))
      await plane.kubectl('apply', '-f', file)
    })

    it('says on which nodes agents could not take everything off', async () => {
      await plane.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'silent', labels: LINUX } })
      const room = { cpu: '1', memory: '1Gi', pods: '9' }
      const patch = JSON.stringify({ status: { capacity: room, allocatable: room } })
      await plane.kubectl('patch', 'node', 'silent', '--subresource=status', '--type=merge', '-p', patch)
      const pods = () => plane.kubectl('-n', 'held', 'get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}')
      await until('an agent is to run there', async () => (await pods()) === 'silent', { limitMs: 30_000 })
      const { code, said } = await program('held-podweir', 2)
      assert.equal(code, 1)
      assert.match(
        said,
        /^not yet on silent: take everything off: it took too long\n {2}→ .*helm uninstall --no-hooks\n$/,
      )
      await plane.kubectl('delete', 'node', 'silent')
    })

    it('is content where there are no agents, and says what it may not do', async () => {
      await plane.kubectl('-n', 'held', 'delete', 'daemonset', 'held-podweir')
      assert.deepEqual(await program('held-podweir', 5), { code: 0, said: 'there are no agents\n' })
      const { code, said } = await program('another', 1)
      assert.equal(code, 1)
      assert.match(said, /patch the agents: 403 .*cannot patch resource/)
    })
  })
})
