// One process alone uses a directory. A socket in it answers while its process lives, however that ends, and in whatever
// network namespace whoever asks is.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { Failure } from '../host/failure.ts'

const NAME = 'lock'
const ANSWER_MS = 2_000
const TRIES = 3

export class DirectoryLock {
  readonly #path: string
  readonly #folder: FileHandle
  readonly #server: Server

  private constructor(path: string, folder: FileHandle, server: Server) {
    this.#path = path
    this.#folder = folder
    this.#server = server
  }

  /** A Failure says who has it. */
  static async take(directory: string): Promise<DirectoryLock> {
    const folder = await open(directory, 'r')
    // The path of a socket may have 107 bytes; a directory's own may be longer.
    const short = `/proc/self/fd/${folder.fd}`
    const own = `${short}/${NAME}-${randomUUID()}`
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.end(`process ${process.pid}`)
    })
    try {
      server.listen(own)
      await once(server, 'listening')
      server.unref()
      await claim(directory, short, own)
      return new DirectoryLock(`${short}/${NAME}`, folder, server)
    } catch (error) {
      server.close()
      await folder.close()
      throw error
    } finally {
      await rm(own, { force: true }).catch(() => {})
    }
  }

  async release(): Promise<void> {
    await rm(this.#path, { force: true }).catch(() => {})
    this.#server.close()
    await this.#folder.close()
  }
}

async function claim(directory: string, short: string, own: string): Promise<void> {
  for (let i = 0; i < TRIES; i++) {
    try {
      // Two can't have made it: whoever comes second is told so.
      await link(own, `${short}/${NAME}`)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = await whoAnswers(`${short}/${NAME}`)
    if (owner !== undefined) throw inUse(directory, owner)
    await removeDead(directory, short)
  }
  throw inUse(directory, 'others that start just now')
}

/** Somebody else may have done so meanwhile: what is moved away is looked at once more. */
async function removeDead(directory: string, short: string): Promise<void> {
  const aside = `${short}/${NAME}-${randomUUID()}`
  try {
    await rename(`${short}/${NAME}`, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const owner = await whoAnswers(aside)
  if (owner !== undefined) await link(aside, `${short}/${NAME}`).catch(() => {})
  await rm(aside, { force: true })
  if (owner !== undefined) throw inUse(directory, owner)
}

/** undefined: nobody lives there. */
async function whoAnswers(path: string): Promise<string | undefined> {
  const socket = connect(path)
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('it does not say which')))
  try {
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ECONNREFUSED' || code === 'ENOENT' ? undefined : message
  }
}

function inUse(directory: string, owner: string): Failure {
  return new Failure({
    step: 'use directory',
    subject: directory,
    cause: `another has it: ${owner}`,
    remedy: 'give each agent a directory of its own, or stop the other one',
  })
}
