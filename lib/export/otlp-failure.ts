// Says in words why an OTLP/gRPC request was not delivered.
import { status } from '@grpc/grpc-js'

interface GrpcError extends Error {
  readonly code: number
  readonly details?: string
}

/** A sentence whose subject is the receiver: `127.0.0.1:4317 refused the connection`. */
export function explainFailure(address: string, error: Error | undefined): Error {
  return new Error(`${address} ${reason(error)}`, { cause: error })
}

export function rejectedPoints(address: string, points: number, message: string | undefined): Error {
  const why = message ? `: ${message}` : ''
  return new Error(`${address} took the request but rejected ${points} of its points${why}`)
}

function reason(error: Error | undefined): string {
  if (!error || !isGrpcError(error)) return `was not asked: ${error?.message ?? 'unknown error'}`
  const details = error.details || error.message
  switch (error.code) {
    case status.UNAVAILABLE:
      return unavailable(details)
    case status.DEADLINE_EXCEEDED:
      return 'did not answer in time'
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return `did not let us in: ${details}; check headers and TLS`
    case status.RESOURCE_EXHAUSTED:
      return `has no room for the request: ${details}`
    case status.UNIMPLEMENTED:
      return `does not take OTLP metrics: ${details}; check the port, gRPC is usually 4317`
    default:
      return `answered ${status[error.code] ?? error.code}: ${details}`
  }
}

function unavailable(details: string): string {
  if (details.includes('ECONNREFUSED')) return 'refused the connection'
  if (/ENOTFOUND|EAI_AGAIN|Name resolution failed/.test(details)) return 'is not a name that resolves to an address'
  if (/EHOSTUNREACH|ENETUNREACH|ETIMEDOUT/.test(details)) return 'is not reachable from here'
  if (/wrong version number|packet length too long|EPROTO/.test(details)) {
    return 'does not speak TLS; write the endpoint with http:// or set tls.insecure: true'
  }
  // grpc-js 1.14 takes the endpoint's host for TLS' server name, and Node 26 refuses an address there.
  if (details.includes('ServerName')) return 'is an address; for TLS write the name that the certificate shows'
  if (/certificate/i.test(details)) return `showed a certificate that is not trusted: ${details}; check tls.ca_file`
  return `is unavailable: ${details}`
}

function isGrpcError(error: Error): error is GrpcError {
  return 'code' in error && typeof error.code === 'number'
}
