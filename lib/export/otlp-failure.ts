// Says in words why a request was not delivered by OTLP, and whether it may be sent again as it is: by the tables of the
// OTLP specification ("Failures" of OTLP/gRPC and of OTLP/HTTP).
import { type Metadata, status } from '@grpc/grpc-js'
import type { Signal } from '../config/signal.ts'
import { Failure } from '../host/failure.ts'
import { readRpcStatus } from './rpc-status.ts'
import { SendFailure } from './send-failure.ts'

interface GrpcError extends Error {
  readonly code: number
  readonly details?: string
  readonly metadata?: Metadata
}

const retryableCodes: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
])

/** A sentence whose subject is the receiver: `127.0.0.1:4317 refused the connection`. */
export function grpcFailure(address: string, signal: Signal, error: Error): SendFailure {
  const message = `${address} ${grpcReason(error, signal)}`
  if (!isGrpcError(error)) return new SendFailure('retry', message)
  const [details] = error.metadata?.get('grpc-status-details-bin') ?? []
  const { retryAfterMs } = details instanceof Buffer ? readRpcStatus(details) : {}
  const isRetryable =
    retryableCodes.has(error.code) ||
    (error.code === status.RESOURCE_EXHAUSTED && retryAfterMs !== undefined) ||
    isBrokenConnection(error)
  return isRetryable ? new SendFailure('retry', message, retryAfterMs) : new SendFailure('refused', message)
}

/** Or may be: some statuses are made by gRPC's library of a broken stream, and the receiver has said nothing. */
export function isBrokenConnection(error: Error): boolean {
  if (!isGrpcError(error)) return false
  if (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED) return true
  return /^Received RST_STREAM|^Bandwidth exhausted or memory limit exceeded$/.test(error.details ?? '')
}

const retryableStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504])

export interface HttpAnswer {
  readonly status: number
  /** What it says of why. */
  readonly message: string
  readonly retryAfterMs: number | undefined
  readonly location: string | undefined
}

export function httpFailure(url: string, { status, message, retryAfterMs, location }: HttpAnswer): SendFailure {
  const why = `${url} ${httpReason(status, message, location)}`
  return retryableStatuses.has(status) ? new SendFailure('retry', why, retryAfterMs) : new SendFailure('refused', why)
}

/** No answer came. */
export function connectionFailure(url: string, error: Error): SendFailure {
  if (error instanceof Failure) return new SendFailure('retry', `${url} was not asked: ${error.message}`)
  const { code } = error as NodeJS.ErrnoException
  return new SendFailure('retry', `${url} ${connectionReason(`${code ?? ''} ${error.message}`.trim())}`)
}

function httpReason(status: number, message: string, location: string | undefined): string {
  const said = message === '' ? '' : `: ${message}`
  if (status >= 300 && status < 400) {
    return `answered ${status}, that it is elsewhere: ${location ?? 'it does not say where'}; write that as the endpoint`
  }
  switch (status) {
    case 401:
    case 403:
      return `did not let us in (${status})${said}; check headers and TLS`
    case 404:
    case 405:
      return `does not take OTLP there (${status})${said}; check port and path, HTTP is usually 4318`
    case 413:
      return `has no room for the request (413)${said}`
    case 415:
      return `does not take this encoding (415)${said}; check encoding and compression`
    default:
      return `answered ${status}${said}`
  }
}

function grpcReason(error: Error | undefined, signal: Signal): string {
  if (!error || !isGrpcError(error)) return `was not asked: ${error?.message ?? 'unknown error'}`
  const details = error.details || error.message
  switch (error.code) {
    case status.UNAVAILABLE:
      return connectionReason(details)
    case status.DEADLINE_EXCEEDED:
      return 'did not answer in time'
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return `did not let us in: ${details}; check headers and TLS`
    case status.RESOURCE_EXHAUSTED:
      return `has no room for the request: ${details}`
    case status.UNIMPLEMENTED:
      return `does not take OTLP ${signal}: ${details}; check the port, gRPC is usually 4317`
    default:
      return `answered ${status[error.code] ?? error.code}: ${details}`
  }
}

function connectionReason(details: string): string {
  if (details.includes('ECONNREFUSED')) return 'refused the connection'
  if (details.includes('did not answer in time')) return 'did not answer in time'
  if (/ENOTFOUND|EAI_AGAIN|Name resolution failed/.test(details)) return 'is not a name that resolves to an address'
  if (/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/.test(details)) return 'is not reachable from here'
  if (/wrong version number|packet length too long|EPROTO/.test(details)) {
    return 'does not speak TLS; write the endpoint with http:// or set tls.insecure: true'
  }
  // grpc-js 1.14 takes the endpoint's host for TLS' server name, and Node 26 refuses an address there.
  if (details.includes('ServerName')) {
    return 'is an address; for TLS write the name that the certificate shows, or set tls.server_name_override'
  }
  if (/certificate required|handshake failure|bad certificate/i.test(details)) {
    return `does not take our certificate: ${details}; check tls.cert_file and tls.key_file`
  }
  if (/altnames|ALTNAME/.test(details)) {
    return `showed a certificate for another name: ${details}; check the endpoint, or set tls.server_name_override`
  }
  if (/certificate/i.test(details)) return `showed a certificate that is not trusted: ${details}; check tls.ca_file`
  return `is unavailable: ${details}`
}

function isGrpcError(error: Error): error is GrpcError {
  return 'code' in error && typeof error.code === 'number'
}
