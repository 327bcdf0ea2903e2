// The tree keeps the rules of docs/house-style.md that a compiler does not know.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, it } from 'mocha'
import { layers, violations } from './support/layers.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const itself = 'test/layers.test.ts'

/** What tells where a tree was made, and nothing about the project. */
const foreign = [
  /\.\.\/shared\b/,
  /(?<![\w.])\/(work|home|root|Users)\/\w/,
  /\bregistry\.(npmjs|yarnpkg)\b/,
  /"resolved": "http/,
]

const files = globSync('{*,{.ci,lib,ebpf,addon,traffic,fuzz,test,bench,deploy,docs,otel-config,tools}/**/*}', {
  cwd: root,
  withFileTypes: true,
  exclude: entry => ['node_modules', 'build', 'coverage', '.git'].includes(entry.name),
})
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name).slice(root.length))

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function assertBroken(path: string, text: string, message: RegExp): void {
  assert.match(violations(path, text).join('\n'), message)
}

describe('the tree', () => {
  it('keeps import direction, the five only rules, names and lengths', () => {
    assert.deepEqual(
      files.flatMap(path => violations(path, read(path))),
      [],
    )
  })

  it('has files in every place that is looked at', () => {
    for (const folder of ['lib/', 'ebpf/', 'addon/', 'test/', 'tools/'])
      assert.ok(
        files.some(path => path.startsWith(folder)),
        folder,
      )
  })

  it('carries one number for the bytes shared by kernel and addon', () => {
    assert.match(read('ebpf/flow.h'), /^#define FLOW_ABI \d+$/m)
    const comparing = files.filter(path => path.startsWith('addon/') && /\bFLOW_ABI\b/.test(read(path)))
    assert.notDeepEqual(comparing, [])
  })

  it('names no place of the machine that it was written on', () => {
    const found = files.filter(path => path !== itself && foreign.some(pattern => pattern.test(read(path))))
    assert.deepEqual(found, [])
  })

  it('has what its Markdown links to', () => {
    const broken: string[] = []
    for (const path of files.filter(each => each.endsWith('.md'))) {
      for (const [, target] of read(path).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)) {
        const linked = join(dirname(path), target ?? '').replace(/\/$/, '')
        if (!files.some(each => each === linked || each.startsWith(`${linked}/`))) broken.push(`${path}: ${target}`)
      }
    }
    assert.deepEqual(broken, [])
  })
})

describe('the rules', () => {
  it('refuse an import to the right, of a type too, and a lazy one', () => {
    assertBroken('lib/capture/x.ts', `import { a } from '../aggregate/edge.ts'`, /capture imports aggregate/)
    assertBroken('lib/host/x.ts', `import type { A } from '../config/config.ts'`, /host imports config/)
    assertBroken('lib/pipeline.ts', `await import('./cli/agent.ts')`, /pipeline imports cli/)
    assertBroken('lib/demo/x.ts', `export * from '../main.ts'`, /demo imports main/)
  })

  it('refuse an import out of lib/ and a folder that is no layer', () => {
    assertBroken('lib/host/x.ts', `import '../../test/support/skip.ts'`, /outside lib/)
    assertBroken('lib/plugins/x.ts', '', /no layer/)
  })

  it('allow imports from the own folder and from every layer to the left', () => {
    for (const [i, layer] of layers.entries()) {
      const text = layers.slice(0, i + 1).map(left => `import '../${left}/y.ts'`)
      assert.deepEqual(violations(`lib/${layer}/x.ts`, text.join('\n')), [])
    }
    assert.deepEqual(violations('lib/pipeline.ts', `import { a } from './export/sender.ts'`), [])
  })

  const only: readonly [string, string, string][] = [
    ['loads the addon', 'lib/capture/native-probe.ts', `require('../../build/Release/podweir.node')`],
    ['reads the environment', 'lib/config/config.ts', 'process.env.HOME'],
    ['reads the environment', 'lib/config/config.ts', `import { env } from 'node:process'`],
    ['reads settings files', 'lib/config/inventory.ts', 'readFileSync(file)'],
    ['reads the time', 'lib/host/clock.ts', 'const now = Date.now()'],
    ['reads the time', 'lib/host/clock.ts', 'performance.now()'],
    ['reads the time', 'lib/host/clock.ts', 'new Date()'],
    ['calls the Kubernetes API server', 'lib/kubernetes/cluster-access.ts', `import k from '@kubernetes/client-node'`],
    ['connects by HTTPS or HTTP/2', 'lib/kubernetes/api-transport.ts', `import { connect } from 'node:http2'`],
    [
      'imports the SDK’s exporters',
      'lib/export/own-telemetry.ts',
      `import e from '@opentelemetry/exporter-metrics-otlp-grpc'`,
    ],
  ]
  for (const [what, allowed, text] of only) {
    it(`let one file alone have: ${text}`, () => {
      assert.deepEqual(violations(allowed, text), [])
      assertBroken(allowed.replace(/[^/]+$/, 'another.ts'), text, new RegExp(`${what}, which only .*${allowed}`))
    })
  }

  it('let comments speak of what is forbidden, and a date be made of a number', () => {
    assert.deepEqual(violations('lib/demo/x.ts', '// process.env\n/* Date.now() */\nnew Date(atMs)'), [])
  })

  it('refuse names that say nothing', () => {
    assertBroken('lib/host/utils.ts', '', /"utils.ts" says nothing/)
    assertBroken('addon/common/x.cc', '', /"common" says nothing/)
    assertBroken('test/support/helpers.ts', '', /says nothing/)
    assertBroken('ebpf/types.h', '', /says nothing/)
    assert.deepEqual(violations('lib/host/typesetting.ts', ''), [])
  })

  it('refuse a file of more than 300 lines', () => {
    assertBroken('addon/probe.cc', 'int x;\n'.repeat(301), /301 lines/)
    assert.deepEqual(violations('addon/probe.cc', 'int x;\n'.repeat(300)), [])
    assert.deepEqual(violations('docs/signals.md', 'text\n'.repeat(400)), [])
  })

  it('find a path of the machine, and leave paths of any machine alone', () => {
    const isForeign = (text: string) => foreign.some(pattern => pattern.test(text))
    for (const text of ['see ../shared/x.md', 'cd /work/tree', '/home/me/x', '"resolved": "https://x"'])
      assert.ok(isForeign(text), text)
    for (const text of ['/run/podweir', '/usr/include', 'lib/work/x', '~/.cache/podweir'])
      assert.ok(!isForeign(text), text)
  })
})
