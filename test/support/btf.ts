// The kernel's description of its types (BTF), changed byte by byte: another kernel as far as a reader can tell.

const HEADER_BYTES = 24
const TYPE_BYTES = 12
const KIND_TYPEDEF = 8

/** Bytes behind a type, by its kind (Documentation/bpf/btf.rst): a fixed number, or so many for each member. */
const FIXED_BYTES: Readonly<Record<number, number>> = { 1: 4, 3: 12, 14: 4, 17: 4 }
const MEMBER_BYTES: Readonly<Record<number, number>> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 }

/** Makes one typedef name the type that another one names. */
export function pointAt(types: Buffer, typedef: string, other: string): void {
  const to = typedefAt(types, other)
  types.writeUInt32LE(types.readUInt32LE(to + 8), typedefAt(types, typedef) + 8)
}

function typedefAt(types: Buffer, name: string): number {
  const headerBytes = types.readUInt32LE(4)
  if (headerBytes !== HEADER_BYTES) throw new Error(`a BTF header of ${headerBytes} bytes`)
  const first = headerBytes + types.readUInt32LE(8)
  const end = first + types.readUInt32LE(12)
  const strings = headerBytes + types.readUInt32LE(16)
  for (let at = first; at < end; at += TYPE_BYTES + bytesBehind(types.readUInt32LE(at + 4))) {
    if (kindOf(types.readUInt32LE(at + 4)) !== KIND_TYPEDEF) continue
    const text = strings + types.readUInt32LE(at)
    if (types.toString('latin1', text, types.indexOf(0, text)) === name) return at
  }
  throw new Error(`no typedef ${name}`)
}

function kindOf(info: number): number {
  return (info >>> 24) & 0x1f
}

function bytesBehind(info: number): number {
  return FIXED_BYTES[kindOf(info)] ?? (MEMBER_BYTES[kindOf(info)] ?? 0) * (info & 0xffff)
}
