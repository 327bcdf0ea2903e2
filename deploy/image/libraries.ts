// The shared libraries that a program needs, and those that they need, out of Debian's packages.
import { cpSync, existsSync, globSync, lstatSync, mkdirSync, readlinkSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { Failure } from '../../lib/host/failure.ts'
import { command } from '../command.ts'

/** Copies them, with the loader, from where packages were unpacked, under the paths that they have there. */
export function copyLibraries(programs: readonly string[], unpacked: string, root: string): void {
  const seen = new Set<string>()
  const waiting = [...programs]
  for (let program = waiting.shift(); program !== undefined; program = waiting.shift())
    for (const name of [...neededBy(program), ...loaderOf(program)]) {
      if (seen.has(name)) continue
      seen.add(name)
      waiting.push(copyLibrary(name, unpacked, root))
    }
}

function neededBy(program: string): string[] {
  return [...command('readelf', ['-d', program]).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name!)
}

/** Its place is fixed: the kernel looks for it there. */
function loaderOf(program: string): string[] {
  return [...command('readelf', ['-l', program]).matchAll(/interpreter: (.*)\]/g)].map(([, path]) => basename(path!))
}

/** With what it is a link to. */
function copyLibrary(name: string, unpacked: string, root: string): string {
  const places = globSync([`lib*/${name}`, `lib/*/${name}`, `usr/lib/*/${name}`], { cwd: unpacked }).sort()
  if (places.length === 0) {
    const remedy = 'add the package that has it to deploy/image/packages.ts'
    throw new Failure({ step: 'find', subject: name, cause: 'none of the packages has it', remedy })
  }
  for (const place of places) copyWithTarget(place, unpacked, root)
  return join(unpacked, places[0]!)
}

function copyWithTarget(place: string, unpacked: string, root: string): void {
  const from = join(unpacked, place)
  const to = join(root, place)
  if (existsSync(to)) return
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, { verbatimSymlinks: true })
  if (!lstatSync(from).isSymbolicLink()) return
  const target = readlinkSync(from)
  const absolute = target.startsWith('/') ? join(unpacked, target) : join(dirname(from), target)
  copyWithTarget(relative(unpacked, absolute), unpacked, root)
}
