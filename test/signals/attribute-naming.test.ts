import assert from 'node:assert/strict'
import { describe, it } from 'mocha'
import { parseConfig } from '../../lib/config/config.ts'
import type { AttributesConfig } from '../../lib/config/processors.ts'
import { checkAttributeProcessors } from '../../lib/signals/attribute-check.ts'
import { allAttributes, attributesTogether } from '../../lib/signals/attribute-names.ts'
import { AttributeNaming, nameOf } from '../../lib/signals/attribute-naming.ts'
import { attributeProfiles } from '../../lib/signals/attribute-profiles.ts'
import { AttributeSet } from '../../lib/signals/attribute-set.ts'

const edge = {
  'source.k8s.namespace.name': 'shop',
  'source.k8s.owner.name': 'web',
  'source.k8s.owner.type': 'Deployment',
  'destination.name': 'external',
  'network.transport': 'tcp',
  'podweir.observer': 'client',
}

function step(parts: Partial<AttributesConfig>): AttributesConfig {
  return { type: 'attributes', id: 'attributes', place: 'a.yaml:1:1', profile: 'none', rename: {}, drop: [], ...parts }
}

describe('the processor attributes', () => {
  for (const [profile, expected] of [
    ['none', edge],
    [
      'obi',
      {
        'k8s.src.namespace': 'shop',
        'k8s.src.owner.name': 'web',
        'k8s.src.owner.type': 'Deployment',
        'dst.name': 'external',
        transport: 'tcp',
        'podweir.observer': 'client',
      },
    ],
    [
      'netobserv',
      {
        'source.k8s.namespace.name': 'shop',
        'source.k8s.owner.name': 'web',
        'source.k8s.owner.kind': 'Deployment',
        'destination.name': 'external',
        protocol: 'tcp',
        'podweir.observer': 'client',
      },
    ],
    ['otel-draft', { ...without(edge, 'podweir.observer'), observer: 'client' }],
  ] as const)
    it(`calls an edge's attributes as the profile ${profile} does`, () => {
      const named = new AttributeNaming([step({ profile })]).of(new AttributeSet(edge)).attributes
      assert.deepEqual(named, expected)
    })

  it('renames beside the profile, which gives way, drops, and goes on with the names of the step before', () => {
    const steps = [
      step({ profile: 'obi', rename: { 'network.transport': 'l4' }, drop: ['podweir.observer'] }),
      step({ rename: { 'k8s.src.owner.name': 'app' }, drop: ['l4'] }),
    ]
    const named = new AttributeNaming(steps).of(new AttributeSet(edge)).attributes
    assert.deepEqual(named, {
      'k8s.src.namespace': 'shop',
      app: 'web',
      'k8s.src.owner.type': 'Deployment',
      'dst.name': 'external',
    })
  })

  it('makes a set once, and keeps doubles doubles under another name', () => {
    const naming = new AttributeNaming([step({ profile: 'otel-draft' })])
    const set = new AttributeSet({ 'podweir.sample.ratio': 1, 'podweir.connection.opened': 1 })
    const named = naming.of(set)
    assert.equal(naming.of(set), named)
    assert.deepEqual([...named.doubles], ['sample.ratio'])
  })

  for (const [profile, names] of Object.entries(attributeProfiles))
    it(`knows what it renames, and makes no two names one: ${profile}`, () => {
      const steps = [step({ profile: profile as AttributesConfig['profile'] })]
      for (const key of Object.keys(names)) assert.ok(allAttributes().includes(key), key)
      for (const together of attributesTogether())
        assert.equal(new Set(together.map(key => nameOf(key, steps))).size, together.length)
    })
})

describe('settings of the processor attributes', () => {
  for (const [what, signal, attributes, message] of [
    [
      'what there is not',
      'logs',
      'rename: { souce.name: x }',
      "rename: 'souce.name': there is no such attribute (did you mean 'source.name'?); docs/signals.md has them all",
    ],
    [
      'what the step before has renamed',
      'logs',
      'drop: [network.transport]',
      "attributes.drop: 'network.transport': there is no such attribute; ",
    ],
    [
      'two names of one',
      'logs',
      'rename: { source.name: x, source.address: x }',
      "rename: 'source.address': 'source.name' is called x as well",
    ],
    [
      'a name that another attribute has',
      'logs',
      'rename: { source.name: server.port }',
      'is called server.port as well',
    ],
    [
      'series of metrics that would be one',
      'metrics',
      'drop: [server.port]',
      "drop: 'server.port': without it different series of metrics would be one, and their counts wrong; choose a coarser receivers.podweir.level",
    ],
  ] as const)
    it(`refuse ${what}, with their place`, () => {
      const steps = what.includes('step before') ? '[attributes/first, attributes]' : '[attributes]'
      const config = configWith(signal, steps, `attributes/first: { profile: obi }, attributes: { ${attributes} }`)
      assert.throws(
        () => checkAttributeProcessors(config),
        (error: Error & { exitCode: number }) => {
          assert.equal(error.exitCode, 2)
          assert.match(error.message, /^check configuration a\.yaml:1:\d+: processors\.attributes\./)
          assert.ok(error.message.includes(message), error.message)
          return true
        },
      )
    })

  it('may drop from metrics what tells nothing apart, and from the others anything', () => {
    const idle = 'drop: [k8s.cluster.name, podweir.attach.place, k8s.deployment.name, k8s.pod.label.app]'
    checkAttributeProcessors(configWith('metrics', '[attributes]', `attributes: { ${idle} }`))
    checkAttributeProcessors(
      configWith('traces', '[attributes]', 'attributes: { drop: [server.port, source.k8s.pod.uid] }'),
    )
  })
})

function configWith(signal: string, steps: string, processors: string) {
  const service = `service: { pipelines: { ${signal}: { processors: ${steps}, exporters: [debug] } } }`
  return parseConfig(`processors: { ${processors} }\nexporters: { debug: }\n${service}`, 'a.yaml', {}, [])
}

function without<T extends object>(from: T, key: keyof T): Omit<T, keyof T> {
  const { [key]: _, ...rest } = from
  return rest
}
