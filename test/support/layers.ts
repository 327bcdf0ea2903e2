// The rules about files that a compiler does not know: who imports whom, who may do what, names and lengths.
import { posix } from 'node:path'

/** Data goes right, imports point left. A name is a folder of lib/ or a file in it. */
export const layers = [
  'host',
  'config',
  'capture',
  'kubernetes',
  'aggregate',
  'enrich',
  'resolver',
  'signals',
  'encode',
  'export',
  'pipeline',
  'library',
  'demo',
  'doctor',
  'cli',
  'main',
]

const longestFile = 300
const codeFile = /^(podweir|(lib|ebpf|addon|traffic|fuzz|test|bench)\/.*\.(ts|c|h|cc|sh|go))$/
const emptyName = /^(utils?|helpers?|common|misc|types)(\..*)?$/

interface OnlyRule {
  readonly what: string
  readonly pattern: RegExp
  readonly allowed: readonly string[]
  /** Where it holds; absent: all of lib/. */
  readonly within?: string
}

const onlyRules: readonly OnlyRule[] = [
  {
    what: 'loads the addon',
    pattern: /podweir\.node\b|\bprocess\.dlopen\b/,
    allowed: ['lib/capture/native-probe.ts'],
  },
  {
    what: 'reads the environment',
    pattern: /\bprocess\.env\b|\bimport\b.*\benv\b.*'node:process'/,
    allowed: ['lib/config/config.ts'],
  },
  {
    what: 'reads settings files',
    pattern: /\breadFile(Sync)?\b|\bcreateReadStream\b/,
    allowed: ['lib/config/config.ts', 'lib/config/inventory.ts'],
    within: 'lib/config/',
  },
  {
    what: 'reads the time',
    pattern: /\bDate\.now\b|\bperformance\.(now|timeOrigin)\b|\bnew Date\(\s*\)|\bprocess\.hrtime\b/,
    allowed: ['lib/host/clock.ts'],
  },
  {
    what: 'calls the Kubernetes API server',
    pattern: /'@kubernetes\/client-node/,
    allowed: ['lib/kubernetes/cluster-access.ts'],
  },
  {
    what: 'connects by HTTPS or HTTP/2',
    pattern: /^import (?!type\b)[^']*'node:http[s2]'/m,
    allowed: ['lib/kubernetes/api-transport.ts', 'lib/resolver/peer-server.ts', 'lib/export/http-connection.ts'],
  },
  {
    what: 'imports the SDK’s exporters',
    pattern: /'@opentelemetry\/exporter-/,
    allowed: ['lib/export/own-telemetry.ts'],
  },
]

/** What breaks a rule in one file; `path` is relative to the tree's root. */
export function violations(path: string, text: string): string[] {
  return [
    ...nameViolations(path),
    ...lengthViolations(path, text),
    ...importViolations(path, text),
    ...onlyViolations(path, text),
  ]
}

function nameViolations(path: string): string[] {
  const empty = path.split('/').find(part => emptyName.test(part))
  return empty && codeFile.test(path) ? [`${path}: "${empty}" says nothing about what is in it`] : []
}

function lengthViolations(path: string, text: string): string[] {
  const lines = text.trimEnd().split('\n').length
  return codeFile.test(path) && lines > longestFile ? [`${path}: ${lines} lines, more than ${longestFile}`] : []
}

function importViolations(path: string, text: string): string[] {
  const from = layerOf(path)
  if (from === undefined) return []
  if (!layers.includes(from)) return [`${path}: "${from}" is no layer`]
  const found: string[] = []
  for (const [, target] of withoutComments(text).matchAll(/\b(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)['"]/g)) {
    const to = layerOf(posix.join(posix.dirname(path), target ?? ''))
    if (to === undefined) found.push(`${path}: imports ${target}, which is outside lib/`)
    else if (layers.indexOf(to) > layers.indexOf(from)) found.push(`${path}: ${from} imports ${to}`)
  }
  return found
}

function layerOf(path: string): string | undefined {
  return /^lib\/([^/]+?)(?:\.ts)?(?:\/|$)/.exec(path)?.[1]
}

function onlyViolations(path: string, text: string): string[] {
  if (!path.startsWith('lib/')) return []
  const code = withoutComments(text)
  return onlyRules
    .filter(rule => path.startsWith(rule.within ?? 'lib/') && !rule.allowed.includes(path) && rule.pattern.test(code))
    .map(rule => `${path}: ${rule.what}, which only ${rule.allowed.join(' and ')} may`)
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '')
}
