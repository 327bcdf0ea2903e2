// Where what waits for a receiver survives the process: `extensions.file_storage`, spelled as the Collector does.
import type { z } from 'zod'
import { formatByteSize } from './byte-size.ts'
import { durationBetween, formatDuration } from './duration.ts'
import { byteSize, parsed, section, text } from './validation.ts'

export interface FileStorageConfig {
  /** `file_storage` or `file_storage/NAME`. */
  readonly id: string
  readonly directory: string
  /** Of all that it holds together. */
  readonly maxBytes: number
  /** When what was written is brought to the disk itself: with each write, never by us, or after so many ms. */
  readonly fsync: 'always' | 'never' | number
}

const fsyncForm = 'always, never, or 10ms to 1m, such as 1s'

export const fileStorageSchema = section({
  directory: text('the absolute path of a directory', value => value.startsWith('/')).default('/var/lib/podweir/spool'),
  max_bytes: byteSize(2 ** 20, 2 ** 40).default(256 * 2 ** 20),
  fsync: parsed<FileStorageConfig['fsync']>(fsyncForm, value =>
    value === 'always' || value === 'never' ? value : durationBetween(value, 10, 60_000),
  ).default(1000),
})

export function fileStorageConfig(id: string, settings: z.output<typeof fileStorageSchema>): FileStorageConfig {
  return { id, directory: settings.directory, maxBytes: settings.max_bytes, fsync: settings.fsync }
}

export function describeFileStorage({ directory, maxBytes, fsync }: FileStorageConfig) {
  return {
    directory,
    max_bytes: formatByteSize(maxBytes),
    fsync: typeof fsync === 'number' ? formatDuration(fsync) : fsync,
  }
}
