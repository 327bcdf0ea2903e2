// The verb `flows`: asks the agent's socket for flows and prints one line each, or how the agent is.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { FilterProblem, formatFlowFilter, parseFlowFilter } from '../config/flow-filter.ts'
import { printableJson } from '../encode/printable.ts'
import { socketPath } from '../export/api-socket.ts'
import { flowRow, headerRow, rowLayout } from '../export/flow-row.ts'
import { statusText } from '../export/status-text.ts'
import { Failure } from '../host/failure.ts'
import type { FlowRecord } from '../signals/flow-record.ts'

export interface FlowsOptions {
  readonly output: 'table' | 'json' | 'jsonl'
  readonly follow: boolean
  /** A flow filter; absent: every flow. */
  readonly filter?: string | undefined
  /** Also in the table what the other end's agent reports. */
  readonly all?: boolean
  /** Those alone with which something is wrong. */
  readonly problems?: boolean
  /** How the agent is, instead of flows. */
  readonly status?: boolean
  /** Path or `unix:///PATH`. */
  readonly socket?: string | undefined
  /** Width of the table; absent: the terminal's, and no limit where there is none. */
  readonly columns?: number | undefined
  readonly out?: Writable & { columns?: number }
}

type Lines = AsyncIterable<string>

const defaultSocket = '/run/podweir/podweir.sock'
const step = 'ask for flows at'

/** The exit code. Throws a Failure where there is no agent. */
export async function run(options: FlowsOptions): Promise<number> {
  const { output, follow } = options
  if (output === 'json' && follow) {
    const cause = 'one JSON array has an end, and following has none'
    throw new Failure({ step: 'print flows as', subject: 'json', cause, remedy: 'use --output jsonl', exitCode: 2 })
  }
  const out = options.out ?? process.stdout
  const socket = socketPath(options.socket ?? defaultSocket)
  if (options.status) {
    const status = await text(await ask(socket, '/v1/status'))
    out.write(output === 'table' ? statusText(JSON.parse(status)) : printableJson(status))
    return 0
  }
  const filter = checkedFilter(options.filter ?? '')
  const query = filter === '' ? '' : `&filter=${encodeURIComponent(filter)}`
  const response = await ask(socket, `/v1/flows?follow=${follow}${query}`)
  try {
    await pipeline(response, source => print(linesOf(source), options, out), out, { end: false })
  } catch (error) {
    // Who reads us has enough: podweir flows | head.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return 0
    throw interrupted(socket, error)
  }
  return 0
}

function checkedFilter(filter: string): string {
  try {
    return formatFlowFilter(parseFlowFilter(filter))
  } catch (error) {
    if (!(error instanceof FilterProblem)) throw error
    const { column, what, allowed } = error
    const cause = `${what}\n  ${filter}\n  ${' '.repeat(column - 1)}^`
    throw new Failure({ step: 'read', subject: 'the filter', cause, remedy: `allowed: ${allowed}`, exitCode: 2 })
  }
}

async function ask(socket: string, path: string): Promise<IncomingMessage> {
  const asked = request({ socketPath: socket, path, agent: false })
  asked.end()
  let response: IncomingMessage
  try {
    ;[response] = (await once(asked, 'response')) as [IncomingMessage]
  } catch (error) {
    throw unreachable(socket, error)
  }
  if (response.statusCode === 200) return response
  response.destroy()
  const cause = `the answer is HTTP ${response.statusCode}`
  throw new Failure({ step, subject: socket, cause, remedy: 'use the podweir that the agent is from' })
}

async function* linesOf(source: Readable): Lines {
  source.setEncoding('utf8')
  let rest = ''
  for await (const chunk of source) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}

function print(lines: Lines, options: FlowsOptions, out: Writable & { columns?: number }): Lines {
  const wanted = options.problems ? withProblems(lines) : lines
  if (options.output === 'json') return printArray(wanted)
  if (options.output === 'jsonl') return printLines(wanted)
  return printTable(wanted, options, out)
}

async function* withProblems(lines: Lines): Lines {
  for await (const line of lines) if ((JSON.parse(line) as FlowRecord).problems.length > 0) yield line
}

async function* printLines(lines: Lines): Lines {
  for await (const line of lines) yield `${printableJson(line)}\n`
}

async function* printArray(lines: Lines): Lines {
  let separator = '[\n'
  for await (const line of lines) {
    yield separator + printableJson(line)
    separator = ',\n'
  }
  yield separator === '[\n' ? '[]\n' : '\n]\n'
}

/** A conversation of two pods of this machine is seen at both interfaces: the table shows it where it is counted. */
async function* printTable(lines: Lines, options: FlowsOptions, out: Writable & { columns?: number }): Lines {
  const layout = rowLayout(options.columns ?? out.columns)
  yield `${headerRow(layout)}\n`
  for await (const line of lines) {
    const record = JSON.parse(line) as FlowRecord
    if (record.counted || options.all) yield `${flowRow(record, layout, out)}\n`
  }
}

function unreachable(socket: string, error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EACCES' || code === 'EPERM') {
    return new Failure({ step, subject: socket, cause: 'only the user who runs the agent may', remedy: 'use sudo' })
  }
  const nobody = code === 'ENOENT' || code === 'ECONNREFUSED'
  const cause = nobody ? 'no agent runs here' : message
  const remedy = 'start one with: sudo ./podweir agent (or name its socket with --socket)'
  return new Failure({ step, subject: socket, cause, remedy })
}

function interrupted(socket: string, error: unknown): Failure {
  const gone = ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '')
  const cause = gone ? 'the agent ended the connection' : String(error)
  const remedy = 'it was stopped, or dropped us for reading too slowly: its log says which'
  return new Failure({ step, subject: socket, cause, remedy })
}
