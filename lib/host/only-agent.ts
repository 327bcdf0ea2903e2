// One agent on a node: two would count every packet twice. The name is the kernel's, so that nothing stays of a killed one.
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { Failure } from './failure.ts'

/** Abstract unix socket: all processes of one network namespace see it, and the node's agents share the node's. */
const NAME = '\0podweir-agent'
const ANSWER_MS = 2_000

/** Holds the place until the process ends. A Failure names who has it. */
export async function claimNode(version: string): Promise<Server> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end(`process ${process.pid}, podweir ${version}`)
  })
  server.unref()
  server.listen(NAME)
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw refused((error as Error).message)
    throw refused(`another agent runs on this node: ${await whoHasIt()}`)
  }
  return server
}

async function whoHasIt(): Promise<string> {
  const socket = connect(NAME)
  socket.setTimeout(ANSWER_MS, () => socket.destroy())
  try {
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString() || 'it does not say which'
  } catch {
    return 'it does not say which'
  }
}

function refused(cause: string): Failure {
  const remedy = 'stop that agent first: two on one node would count every packet twice'
  return new Failure({ step: 'start', subject: 'the agent', cause, remedy })
}
