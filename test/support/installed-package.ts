// The package as a user gets it: packed, and installed into a project of its own.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { npm, npmPackage, type PinnedPackage } from '../../deploy/npm-package.ts'
import { buildPackage } from '../../deploy/package/build.ts'

const OLD_TYPESCRIPT: PinnedPackage = {
  name: 'typescript',
  version: '5.9.3',
  integrity: 'sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw==',
}

/** Those that the package's types are for. */
export const compilers = ['5.9', '7'] as const

const settings = {
  compilerOptions: {
    ...{ module: 'nodenext', target: 'es2022', lib: ['es2022'], types: ['node'] },
    ...{ strict: true, skipLibCheck: false, outDir: 'compiled' },
  },
  include: ['*.ts'],
}

export class InstalledPackage {
  readonly archive: string
  readonly folder: string

  /** Asks the registry for what the npm cache lacks. */
  constructor() {
    this.archive = buildPackage()
    this.folder = mkdtempSync(join(tmpdir(), 'podweir-project-'))
    writeFileSync(join(this.folder, 'package.json'), '{ "name": "project", "private": true, "type": "module" }')
    writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify(settings))
    npm(['install', '--prefer-offline', '--no-audit', '--no-fund', this.archive, '@types/node@26'], this.folder)
  }

  /** An example of docs/embedding, as a file of the project. */
  add(example: string): void {
    cpSync(new URL(`../../docs/embedding/${example}`, import.meta.url), join(this.folder, example))
  }

  /** What the compiler says; empty: all is well. */
  compile(version: (typeof compilers)[number]): string {
    const compiler = version === '7' ? resolve('node_modules/typescript') : npmPackage(OLD_TYPESCRIPT)
    const { stdout, stderr } = spawnSync(process.execPath, [join(compiler, 'bin/tsc')], {
      cwd: this.folder,
      encoding: 'utf8',
    })
    return stdout + stderr
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
