// One request as a file: what it is worth is in its name, so that a spoilt one is lost by the number.
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

/** Marks the format: another version of it will have another. */
const MAGIC = Buffer.from('PWQ1')
/** Magic, length of the body, checksum of the body. */
const HEADER_BYTES = 12

export interface SpoolName {
  /** Grows with each request that is written, whatever its queue. */
  readonly sequence: number
  readonly items: number
}

const pattern = /^(\d{16})-(\d{1,10})\.request$/
export const UNFINISHED = /\.part$/

/** undefined: it is none of ours. */
export function parseName(file: string): SpoolName | undefined {
  const [, sequence, items] = pattern.exec(file) ?? []
  return sequence === undefined ? undefined : { sequence: Number(sequence), items: Number(items) }
}

export function fileName({ sequence, items }: SpoolName): string {
  return `${String(sequence).padStart(16, '0')}-${items}.request`
}

export function bodyBytes(fileBytes: number): number {
  return Math.max(0, fileBytes - HEADER_BYTES)
}

/** Whole or not at all, also when the process is killed meanwhile. `syncs`: it is on the disk when it resolves. */
export async function writeSpoolFile(folder: string, file: string, body: Uint8Array, syncs: boolean): Promise<void> {
  const unfinished = join(folder, `${file}.part`)
  try {
    const handle = await open(unfinished, 'wx', 0o600)
    try {
      await writeWhole(handle, headerOf(body))
      await writeWhole(handle, body)
      if (syncs) await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(unfinished, join(folder, file))
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => {})
    throw error
  }
  if (syncs) await syncFile(folder)
}

/** Throws for what is not as it was written. */
export async function readSpoolFile(folder: string, file: string): Promise<Uint8Array> {
  const bytes = await readFile(join(folder, file))
  const body = bytes.subarray(HEADER_BYTES)
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    throw new Error('no request of ours')
  if (bytes.readUInt32LE(4) !== body.length) throw new Error(`${body.length} bytes of ${bytes.readUInt32LE(4)}`)
  if (bytes.readUInt32LE(8) !== crc32(body)) throw new Error('its checksum is wrong')
  return body
}

/** A file, or a folder's names. */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function headerOf(body: Uint8Array): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header.writeUInt32LE(body.length, 4)
  header.writeUInt32LE(crc32(body), 8)
  return header
}

/** A disk that is nearly full takes a part, and says nothing. */
async function writeWhole(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at)
    if (bytesWritten === 0) throw new Error('the disk takes no more')
    at += bytesWritten
  }
}
