// What is committed of the chart and was made of other files is what these make of it.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, it } from 'mocha'
import { parse, parseAllDocuments } from 'yaml'
import { manifests } from '../../deploy/kubernetes/manifests.ts'
import { copies, copyOf, valuesSchema, valuesSchemaText } from '../../deploy/kubernetes/values.ts'

interface Role {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly rules: unknown
}

interface DaemonSet {
  readonly kind: string
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } }
}

interface Container {
  readonly securityContext: { readonly capabilities: { readonly add: readonly string[] } }
}

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

const again = 'npm run build:chart, and commit what it writes'
const values = parse(read('deploy/chart/values.yaml'))

describe('the chart', () => {
  it('has the schema of its values and of the agent’s settings', () => {
    assert.ok(read('deploy/chart/values.schema.json') === valuesSchemaText(), again)
  })

  for (const file of Object.keys(copies) as (keyof typeof copies)[])
    it(`has ${file}, as it is outside of it`, () => {
      assert.ok(read(`deploy/chart/files/${file}`) === copyOf(file), again)
    })

  it('is of the program’s version', () => {
    const { version, appVersion } = parse(read('deploy/chart/Chart.yaml'))
    const program = JSON.parse(read('package.json')).version
    assert.deepEqual([version, appVersion], [program, program])
  })

  it('has a default for each value', () => {
    const validate = new Ajv2020({ strictTypes: false }).compile(valuesSchema())
    assert.ok(validate(values), JSON.stringify(validate.errors))
    assert.deepEqual(missing(valuesSchema(), values), [])
  })

  for (const [file, roles] of [
    ['standard.yaml', 'rbac.yaml'],
    ['restricted.yaml', 'rbac.yaml'],
    ['resolver.yaml', 'rbac-resolver.yaml'],
  ] as const)
    it(`gives in ${file} the rights of ${roles}, and no other`, () => {
      assert.deepEqual(rulesIn(`deploy/manifests/${file}`), rulesIn(`deploy/${roles}`))
    })

  it('has a table of rights for each manifest', () => {
    assert.deepEqual(Object.keys(manifests), ['standard.yaml', 'restricted.yaml', 'resolver.yaml'])
  })
})

describe('the systemd unit', () => {
  it('gives the agent the capabilities of the profile standard, as the chart does', () => {
    const unit = read('deploy/systemd/podweir.service')
    const bounded = /^CapabilityBoundingSet=(.*)$/m.exec(unit)![1]!.split(' ')
    const pods = parseAllDocuments(read('deploy/manifests/standard.yaml')).map(each => each.toJS() as DaemonSet)
    const { containers } = pods.find(({ kind }) => kind === 'DaemonSet')!.spec.template.spec
    assert.deepEqual(
      bounded,
      containers[0]!.securityContext.capabilities.add.map(name => `CAP_${name}`),
    )
  })
})

function rulesIn(path: string): Record<string, unknown> {
  const objects = parseAllDocuments(read(path)).map(each => each.toJS() as Role)
  const roles = objects.filter(({ kind }) => ['ClusterRole', 'Role'].includes(kind))
  return Object.fromEntries(roles.map(({ kind, metadata, rules }) => [`${kind} ${metadata.name}`, rules]))
}

/** Keys of a schema, `config` and what Kubernetes defines aside, that values do not have. */
function missing(schema: ReturnType<typeof valuesSchema>, given: unknown, path = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => {
    const at = `${path}.${key}`
    if (['.config', '.global'].includes(at)) return []
    const value = (given as Record<string, unknown> | undefined)?.[key]
    return value === undefined ? [at] : missing(inner, value, at)
  })
}
