// What an agent says, from the network: whatever comes, a message or undefined, never a throw, never more than its bound.
import { formatKey, parseAddressKey } from '../capture/address.ts'
import { parsedJson } from '../kubernetes/api-failure.ts'
import { type Fields, fieldsOf, listOf, textOf, wholeNumberOf } from '../kubernetes/object-fields.ts'
import { type Asking, type Hello, MOST, type PeerKey, POD_PREFIX, PORT_PREFIX, type Versions } from './messages.ts'

const LABEL_LIMIT = 317
const VERSION_LIMIT = 128
const TAG_LIMIT = 64
const UID_LIMIT = 128
const RESOURCES_LIMIT = 16
const HIGHEST_MARK = Number.MAX_SAFE_INTEGER
const portForm = /^port:(tcp|udp|sctp)\/([1-9]\d{0,4})$/

/** undefined: it is no message. What it has beside is left out. */
export function parseAsking(text: string): Asking | undefined {
  const { hello, ask, forget, mark } = fieldsOf(parsedJson(text))
  if (hello !== undefined) return parseHello(fieldsOf(hello))
  if (ask !== undefined) return parseAsk(fieldsOf(ask))
  if (forget !== undefined) return parseForget(forget)
  const number = wholeNumberOf(mark, 0, HIGHEST_MARK)
  return number === undefined ? undefined : { mark: number }
}

/** Something that can be asked for, as all of us write it. */
export function isKey(key: PeerKey): boolean {
  if (key.startsWith(POD_PREFIX)) return key.length > POD_PREFIX.length && key.length <= POD_PREFIX.length + UID_LIMIT
  if (key.startsWith(PORT_PREFIX)) return portForm.test(key)
  if (key.length > 64) return false
  const address = parseAddressKey(key)
  return address !== undefined && formatKey(address) === key
}

export function versionsOf(value: unknown): Versions {
  const entries = Object.entries(fieldsOf(value)).slice(0, RESOURCES_LIMIT)
  const versions = entries.map(([resource, version]) => [textOf(resource), textOf(version, VERSION_LIMIT)] as const)
  return Object.fromEntries(versions.filter(([, version]) => version !== ''))
}

function parseHello(hello: Fields): Asking | undefined {
  const protocol = wholeNumberOf(hello.protocol, 1, 1_000_000)
  if (protocol === undefined) return undefined
  const parsed: Hello = {
    protocol,
    node: textOf(hello.node),
    labels: listOf(hello.labels, MOST.labels).map(each => textOf(each, LABEL_LIMIT)),
    after: versionsOf(hello.after),
    nodes: textOf(hello.nodes, TAG_LIMIT),
    nodePorts: textOf(hello.nodePorts, TAG_LIMIT),
  }
  return { hello: parsed }
}

function parseAsk(ask: Fields): Asking | undefined {
  const entries = Object.entries(ask)
  if (entries.length > MOST.keysOfLine || !entries.every(([key]) => isKey(key))) return undefined
  return { ask: new Map(entries.map(([key, tag]) => [key, textOf(tag, TAG_LIMIT)])) }
}

function parseForget(forget: unknown): Asking | undefined {
  if (!Array.isArray(forget) || forget.length > MOST.keysOfLine) return undefined
  const keys = forget.filter((each): each is string => typeof each === 'string' && isKey(each))
  return keys.length === forget.length ? { forget: keys } : undefined
}
