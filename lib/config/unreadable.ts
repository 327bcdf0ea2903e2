// The failure of a file that can't be read.
import { getSystemErrorMap } from 'node:util'
import { Failure } from '../host/failure.ts'

const remedies: Readonly<Record<string, string>> = {
  ENOENT: 'check the path; relative paths start at the working directory',
  EACCES: 'make it readable for the user that runs podweir',
  EISDIR: 'name a file, not a directory',
}

export function unreadable(step: string, file: string, error: unknown): Failure {
  const { errno, code, message } = error as NodeJS.ErrnoException
  const cause = (errno !== undefined && getSystemErrorMap().get(errno)?.[1]) || message
  return new Failure({
    step,
    subject: file,
    cause,
    remedy: remedies[code ?? ''] ?? 'check the file and its file system',
  })
}
