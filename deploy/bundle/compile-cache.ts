// V8's code of all that the verbs load, beside the bundle: a start neither compiles it nor keeps its source in memory.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { command } from '../command.ts'

/** Node's flags, as the `podweir` command has them. */
export function nodeFlags(): string {
  const flags = /^node_flags=\((.*)\)$/m.exec(readFileSync(new URL('../../podweir', import.meta.url), 'utf8'))
  if (!flags) throw new Error('the podweir command names no node_flags')
  return flags[1]!
}

/**
 * Made by the Node that is to use it, and of the program at the place where it will lie: V8 keeps the path of each file.
 * `--predictable` makes it the same each time, and V8 takes it without that flag.
 */
export function fillCompileCache(app: string, place: string, node: readonly string[]): void {
  const code = join(place, 'lib/bundle')
  const verbs = readdirSync(join(app, 'lib/bundle')).filter(file =>
    /^(agent|flows|doctor|detach|config|version)-\w+\.js$/.test(file),
  )
  const loading = verbs.sort().map(file => `await import(${JSON.stringify(join(code, file))})`)
  const env = { PATH: '/usr/bin:/bin:/usr/sbin:/sbin', ...compileCacheVariables(place), NODE_OPTIONS: nodeFlags() }
  const run = (parameters: string[], options = {}) =>
    command(...seenAt(place, app, [...node, '--predictable', ...parameters]), { env, ...options })
  run(['--input-type=module', '--eval', loading.join('\n')])
  run([join(code, 'main.js'), 'config', 'print'])
  // In the agent's own way: settings are read by a child of it.
  run([join(code, 'settings-reader.js'), 'config'], { input: '{"files":[],"set":[]}', stdio: 'pipe' })
}

/** A command that sees a folder there, in a mount namespace of its own: the machine is left as it is. */
function seenAt(place: string, folder: string, parameters: readonly string[]): [string, string[]] {
  const mount = 'mount -t tmpfs tmpfs "$(dirname "$0")" && mkdir "$0" && mount --bind "$1" "$0" && shift && exec "$@"'
  const own = process.getuid?.() === 0 ? [] : ['--map-current-user', '--keep-caps']
  return ['unshare', [...own, '--mount', 'sh', '-c', mount, place, folder, ...parameters]]
}

export function compileCacheVariables(app: string): Record<string, string> {
  return { NODE_COMPILE_CACHE: join(app, 'compile-cache'), NODE_COMPILE_CACHE_PORTABLE: '1' }
}
