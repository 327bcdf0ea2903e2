// A guest's only file system: a cpio archive of the kernel's own format (newc), which the kernel unpacks at its start.
const MAGIC = '070701'
const S_IFDIR = 0o040000
const S_IFREG = 0o100000
const S_IFCHR = 0o020000
/** Not the kernel's console but where a process's output goes to it. */
const CONSOLE = { major: 5, minor: 1 }

export class Initramfs {
  readonly #parts: Uint8Array[] = []
  readonly #folders = new Set<string>()
  #inode = 0

  constructor() {
    for (const folder of ['dev', 'proc', 'sys', 'run']) this.#folder(folder)
    this.#entry('dev/console', S_IFCHR | 0o600, new Uint8Array(), CONSOLE)
  }

  /** `path` without the first slash. */
  add(path: string, content: Uint8Array, mode = 0o755): this {
    const folders = path.split('/').slice(0, -1)
    for (let depth = 1; depth <= folders.length; depth++) this.#folder(folders.slice(0, depth).join('/'))
    this.#entry(path, S_IFREG | mode, content)
    return this
  }

  bytes(): Buffer {
    this.#entry('TRAILER!!!', 0, new Uint8Array())
    return Buffer.concat(this.#parts)
  }

  #folder(path: string): void {
    if (this.#folders.has(path)) return
    this.#folders.add(path)
    this.#entry(path, S_IFDIR | 0o755, new Uint8Array())
  }

  #entry(path: string, mode: number, content: Uint8Array, device = { major: 0, minor: 0 }): void {
    const name = Buffer.from(`${path}\0`)
    const links = 1
    const numbers = [
      ++this.#inode,
      mode,
      0,
      0,
      links,
      0,
      content.length,
      0,
      0,
      device.major,
      device.minor,
      name.length,
      0,
    ]
    const header = MAGIC + numbers.map(number => number.toString(16).padStart(8, '0')).join('')
    this.#pad(Buffer.concat([Buffer.from(header), name]))
    this.#pad(content)
  }

  #pad(bytes: Uint8Array): void {
    this.#parts.push(bytes, new Uint8Array(-bytes.length & 3))
  }
}
