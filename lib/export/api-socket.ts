// Listens on a unix socket that only its owner can open, in place of what a killed agent left there.
import { once } from 'node:events'
import { lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { Failure } from '../host/failure.ts'

const step = 'open the API at'
const remedy = 'set extensions.api.endpoint to another path, as unix:///run/podweir/other.sock'

/** The path in `unix:///PATH` or `/PATH`. */
export function socketPath(endpoint: string): string {
  const path = /^(?:unix:(?:\/\/)?)?(\/.+)$/.exec(endpoint)?.[1]
  if (path) return path
  const cause = /^https?:/.test(endpoint)
    ? 'a TCP endpoint would show flows to every user of this machine; it needs a token, which is not there yet'
    : 'not the path of a unix socket'
  throw new Failure({ step, subject: endpoint, cause, remedy, exitCode: 2 })
}

export async function listenOnSocket(server: Server, path: string): Promise<void> {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    await listen(server, path)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw failure(path, error)
    await removeStale(path)
    await listen(server, path).catch(again => {
      throw failure(path, again)
    })
  }
}

async function listen(server: Server, path: string): Promise<void> {
  // Node binds before `listen` returns, so the socket never has another mode than 0600.
  const umask = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(umask)
  }
  await once(server, 'listening')
}

async function removeStale(path: string): Promise<void> {
  try {
    if (!lstatSync(path).isSocket()) throw new Error('a file that is not a socket is there')
    if (await answers(path)) throw new Error('endpoint in use: another agent answers there')
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw failure(path, error)
  }
}

/** false: the process that made the socket is gone. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    if (codeOf(error) === 'ECONNREFUSED') return false
    throw error
  } finally {
    socket.destroy()
  }
}

function failure(path: string, error: unknown): Failure {
  if (error instanceof Failure) return error
  const cause = error instanceof Error ? error.message : String(error)
  const stop = cause.startsWith('endpoint in use') ? 'stop the other agent, or ' : ''
  return new Failure({ step, subject: path, cause, remedy: stop + remedy })
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
