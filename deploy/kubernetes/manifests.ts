// Plain manifests of the chart, for who does not use Helm: what `helm template` makes, without what is Helm's own.
import { command } from '../command.ts'

export const NAMESPACE = 'podweir-system'
const chart = new URL('../chart', import.meta.url).pathname
/** Labels that would say that Helm looks after an object. */
const OF_HELM = /^ +(app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n/gm

/** Hooks are Helm's. */
const KUBECTL = 'uninstall.takeOff=false'

export interface Rendering {
  /** `--set` parameters. */
  readonly values: readonly string[]
  /** What it is for, in a sentence or two. */
  readonly says: string
}

export const manifests: Readonly<Record<string, Rendering>> = {
  'standard.yaml': { values: [KUBECTL], says: 'The profile standard.' },
  'restricted.yaml': { values: [KUBECTL, 'profile=restricted'], says: 'The profile restricted.' },
  'resolver.yaml': {
    values: [KUBECTL, 'resolver.enabled=true', 'resolver.tlsSecret=podweir-resolver-tls'],
    says: 'The profile standard with a resolver, whose certificate is in the Secret podweir-resolver-tls.',
  },
}

/** `helm`: the program. */
export function render(helm: string, values: readonly string[], more: readonly string[] = []): string {
  const sets = values.flatMap(value => ['--set', value])
  return `${command(helm, ['template', 'podweir', chart, '-n', NAMESPACE, '--kube-version', '1.36.0', ...sets, ...more])}\n`
}

export function manifest(helm: string, { values, says }: Rendering): string {
  const labels = { 'pod-security.kubernetes.io/enforce': 'privileged' }
  const namespace = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${NAMESPACE}\n  labels: ${JSON.stringify(labels)}\n`
  const objects = render(helm, values)
    .replace(OF_HELM, '')
    .split(/^---\n/m)
    .map(text => text.replace(/^# Source: .*\n/, '').trim())
    .filter(text => text !== '')
  return [
    `# ${says} Made of deploy/chart by \`npm run build:chart\`.\n${namespace}`,
    ...objects.map(text => `${text}\n`),
  ].join('---\n')
}
