// A clone of the repository as ./podweir sees it: the script, a main.ts that tells what reached it, and a PATH made to order.
import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const nodeFolder = `node_modules/node-linux-${process.arch}`
const nodeGyp = 'node_modules/node-gyp/bin/node-gyp.js'
const systemFolders = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']
const nobody = 65_534

const everyCommand =
  'bash env readlink uname cmp find mkdir touch flock df tail grep cp mv id chown cat ip npm clang gcc g++ make python3'.split(
    ' ',
  )

export interface Start {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  readonly parameters?: string[]
  /** Folders of PATH; absent: the system's, behind `fakes`. */
  readonly path?: string[]
  readonly env?: Record<string, string>
  readonly cwd?: string
  readonly asNobody?: boolean
  /** Run instead of ./podweir: a link to it, or a program that starts it. */
  readonly program?: string
}

export class Clone {
  readonly root = mkdtempSync(join(tmpdir(), 'podweir-clone-'))
  readonly tree = join(this.root, 'a tree')
  readonly fakes = join(this.root, 'fakes')

  constructor() {
    chmodSync(this.root, 0o755)
    for (const folder of [this.fakes, ...['lib', 'ebpf', 'addon'].map(name => join(this.tree, name))])
      mkdirSync(folder, { recursive: true })
    copyFileSync(join(repository, 'podweir'), join(this.tree, 'podweir'))
    this.write('package-lock.json', '{}')
    this.write('binding.gyp', '{}')
    this.write('ebpf/flow.h', '')
    this.write(
      'lib/main.ts',
      'process.stdout.write(JSON.stringify({ cwd: process.cwd(), said: process.argv.slice(2) }))',
    )
    this.osRelease('ID=debian')
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.tree, path)), { recursive: true })
    writeFileSync(join(this.tree, path), text)
  }

  has(path: string): boolean {
    return existsSync(join(this.tree, path))
  }

  osRelease(text: string): void {
    writeFileSync(join(this.root, 'os-release'), `${text}\n`)
  }

  /** A command that stands before the system's. */
  fake(name: string, script: string): void {
    writeFileSync(join(this.fakes, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 })
  }

  /** A folder for PATH with the commands of this machine, less some. */
  commandsWithout(...missing: string[]): string {
    const folder = mkdtempSync(join(this.root, 'commands-'))
    chmodSync(folder, 0o755)
    for (const name of everyCommand.filter(each => !missing.includes(each))) {
      const found = systemFolders.map(each => join(each, name)).find(existsSync)
      if (found) symlinkSync(found, join(folder, name))
    }
    return folder
  }

  /** npm packages as far as the bootstrap looks: the pinned Node, and a node-gyp that runs `nodeGypScript`. */
  installed(nodeGypScript: string, node = process.execPath): void {
    mkdirSync(join(this.tree, nodeFolder, 'bin'), { recursive: true })
    rmSync(join(this.tree, nodeFolder, 'bin/node'), { force: true })
    symlinkSync(node, join(this.tree, nodeFolder, 'bin/node'))
    this.write(nodeGyp, nodeGypScript)
    this.write('node_modules/.package-lock.json', '{}')
    this.write('node_modules/.podweir-lock.json', '{}')
  }

  start(options: StartOptions = {}): Promise<Start> {
    const child = spawn(options.program ?? join(this.tree, 'podweir'), options.parameters ?? ['version'], {
      cwd: options.cwd ?? this.root,
      env: {
        PATH: (options.path ?? [this.fakes, ...systemFolders]).join(':'),
        PODWEIR_OS_RELEASE: join(this.root, 'os-release'),
        ...options.env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.asNobody ? { uid: nobody, gid: nobody } : {}),
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text
    })
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code => resolve({ code, stdout, stderr }))
    })
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}
