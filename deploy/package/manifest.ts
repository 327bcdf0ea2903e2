// The package.json that is published: this tree's own, without what only a clone needs.

interface TreeManifest {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly license: string
  readonly engines: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
}

/** No scripts: npm may refuse to run them, and there is nothing to build. */
export function publishedManifest({ name, version, description, license, engines, dependencies }: TreeManifest) {
  return {
    ...{ name, version, description, license },
    keywords: ['ebpf', 'kubernetes', 'network', 'opentelemetry', 'otlp', 'observability'],
    type: 'module',
    engines,
    bin: { podweir: './dist/main.js' },
    exports: {
      '.': { types: './dist/library/index.d.ts', default: './dist/library/index.js' },
      './package.json': './package.json',
    },
    files: ['dist', 'prebuilds', 'licences', 'CHANGELOG.md'],
    dependencies,
  }
}
