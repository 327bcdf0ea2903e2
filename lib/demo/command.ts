// Runs one command to its end; a command that fails is a Failure with what it said.
import { spawn } from 'node:child_process'
import { Failure } from '../host/failure.ts'

export interface CommandOptions {
  readonly stdin?: string
  /** Says what to do about a failure. */
  readonly remedy: string
}

/** Resolves to what the command wrote to stdout. */
export function runCommand(file: string, args: readonly string[], options: CommandOptions): Promise<string> {
  const subject = [file, ...args].join(' ')
  return new Promise((resolve, reject) => {
    const fail = (cause: string) => reject(new Failure({ step: 'run', subject, cause, remedy: options.remedy }))
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    const output: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
    child.on('error', error => fail(error.message))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve(Buffer.concat(output).toString())
      fail(Buffer.concat(errors).toString().trim() || `ended with ${signal ?? `exit code ${code}`}`)
    })
    // A command that ended before it read its input says why on stderr.
    child.stdin.on('error', () => {})
    child.stdin.end(options.stdin ?? '')
  })
}
