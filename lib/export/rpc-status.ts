// google.rpc.Status, in which gRPC's trailers and OTLP/HTTP's bodies say why a request was not taken, and when to come again.

export interface RpcStatus {
  readonly message?: string
  /** RetryInfo's delay. */
  readonly retryAfterMs?: number
}

const status = { message: 2, details: 3 } as const
const any = { typeUrl: 1, value: 2 } as const
const retryInfo = { delay: 1 } as const
const duration = { seconds: 1, nanos: 2 } as const

const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'
const LONGEST_MESSAGE = 4096

/** Empty for anything else: it comes from outside. */
export function readRpcStatus(bytes: Uint8Array): RpcStatus {
  try {
    return statusOf(bytes)
  } catch {
    return {}
  }
}

function statusOf(bytes: Uint8Array): RpcStatus {
  let message: string | undefined
  let retryAfterMs: number | undefined
  for (const { number, value } of fields(bytes)) {
    if (typeof value === 'bigint') continue
    if (number === status.message) message = text(value.subarray(0, LONGEST_MESSAGE))
    else if (number === status.details) retryAfterMs ??= retryDelayMs(value)
  }
  return { ...(message && { message }), ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function retryDelayMs(detail: Uint8Array): number | undefined {
  const found = new Map([...fields(detail)].map(({ number, value }) => [number, value]))
  const [typeUrl, value] = [found.get(any.typeUrl), found.get(any.value)]
  if (!(typeUrl instanceof Uint8Array) || text(typeUrl) !== RETRY_INFO) return undefined
  if (!(value instanceof Uint8Array)) return 0
  for (const field of fields(value))
    if (field.number === retryInfo.delay && field.value instanceof Uint8Array) return durationMs(field.value)
  return 0
}

function durationMs(bytes: Uint8Array): number {
  let ms = 0
  for (const { number, value } of fields(bytes)) {
    if (typeof value !== 'bigint') continue
    if (number === duration.seconds) ms += Number(BigInt.asIntN(64, value)) * 1000
    else if (number === duration.nanos) ms += Number(BigInt.asIntN(64, value)) / 1e6
  }
  return Math.max(0, ms)
}

interface Field {
  readonly number: number
  /** bytes where it has a length. */
  readonly value: bigint | Uint8Array
}

function* fields(bytes: Uint8Array): Generator<Field> {
  const at = { position: 0 }
  while (at.position < bytes.length) {
    const tag = Number(varint(bytes, at))
    yield { number: tag >>> 3, value: valueAt(bytes, at, tag & 7) }
  }
}

function valueAt(bytes: Uint8Array, at: { position: number }, wireType: number): bigint | Uint8Array {
  switch (wireType) {
    case 0:
      return varint(bytes, at)
    case 1:
      return take(bytes, at, 8)
    case 2:
      return take(bytes, at, Number(varint(bytes, at)))
    case 5:
      return take(bytes, at, 4)
    default:
      throw new Error(`wire type ${wireType}`)
  }
}

function varint(bytes: Uint8Array, at: { position: number }): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[at.position++]
    if (byte === undefined) break
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
  throw new Error('a number without an end')
}

function take(bytes: Uint8Array, at: { position: number }, length: number): Uint8Array {
  const end = at.position + length
  if (end > bytes.length) throw new Error('cut short')
  const taken = bytes.subarray(at.position, end)
  at.position = end
  return taken
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8')
}
