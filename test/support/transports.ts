// Builds packets of the transports that few use: their headers as the RFCs have them, checksums 0.
import { bytesOf, type Envelope, ip, type Ports, Protocol, writePorts } from './packet.ts'

const SCTP_DATA_CHUNK = 0
const SCTP_DATA_CHUNK_BYTES = 16
const DCCP_REQUEST_HEADER_BYTES = 20
const DCCP_REQUEST = 0
const DCCP_LONG_SEQUENCES = 1
const ESP_HEADER_BYTES = 8
const AUTHENTICATION_BYTES = 24
const IGMP_REPORT = 0x16

/** The payload is what the one datagram has; RFC 3828: its length field is what the checksum covers, 0 is all. */
export function udpLite(options: Envelope & Ports): Uint8Array {
  const header = Buffer.alloc(8)
  writePorts(header, options)
  return ip(Protocol.udpLite, { ...options, payload: Buffer.concat([header, bytesOf(options.payload)]) })
}

/** RFC 9260: the common header and one DATA chunk. */
export function sctp(options: Envelope & Ports): Uint8Array {
  const payload = bytesOf(options.payload)
  const header = Buffer.alloc(12 + SCTP_DATA_CHUNK_BYTES)
  writePorts(header, options)
  header[12] = SCTP_DATA_CHUNK
  header[13] = 3 // a whole message
  header.writeUInt16BE(SCTP_DATA_CHUNK_BYTES + payload.length, 14)
  return ip(Protocol.sctp, { ...options, payload: Buffer.concat([header, payload]) })
}

/** RFC 4340: a DCCP-Request. */
export function dccp(options: Envelope & Ports): Uint8Array {
  const header = Buffer.alloc(DCCP_REQUEST_HEADER_BYTES)
  writePorts(header, options)
  header[4] = header.length / 4
  header[8] = (DCCP_REQUEST << 1) | DCCP_LONG_SEQUENCES
  return ip(Protocol.dccp, { ...options, payload: Buffer.concat([header, bytesOf(options.payload)]) })
}

/** RFC 4303: what is behind its header nobody can read. */
export function esp(options: Envelope): Uint8Array {
  const header = Buffer.alloc(ESP_HEADER_BYTES)
  header.writeUInt32BE(0x1001, 0)
  header.writeUInt32BE(1, 4)
  return ip(Protocol.esp, { ...options, payload: Buffer.concat([header, bytesOf(options.payload)]) })
}

/** RFC 4302 over IPv4, with a UDP header and payload behind it. */
export function authenticated(options: Envelope & Ports): Uint8Array {
  const payload = bytesOf(options.payload)
  const header = Buffer.alloc(AUTHENTICATION_BYTES + 8)
  header[0] = Protocol.udp
  header[1] = AUTHENTICATION_BYTES / 4 - 2
  writePorts(header.subarray(AUTHENTICATION_BYTES), options)
  header.writeUInt16BE(8 + payload.length, AUTHENTICATION_BYTES + 4)
  return ip(Protocol.authentication, { ...options, payload: Buffer.concat([header, payload]) })
}

/** RFC 2236: a membership report. */
export function igmp(options: Envelope): Uint8Array {
  const header = Buffer.alloc(8)
  header[0] = IGMP_REPORT
  header.set([239, 1, 2, 3], 4)
  return ip(Protocol.igmp, { ...options, payload: header })
}
