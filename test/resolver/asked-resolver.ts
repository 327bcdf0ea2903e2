// The set-up of a suite about a resolver's server: what is started in a test is closed after it.
import { type ClientHttp2Session, connect } from 'node:http2'
import { after, afterEach, before } from 'mocha'
import { CONTENT_TYPE, line, PATH, PROTOCOL } from '../../lib/resolver/messages.ts'
import { pem } from '../support/certificates.ts'
import {
  ServedAgent,
  type ServedAgentOptions,
  ServedResolver,
  type ServedResolverOptions,
  TestSecrets,
  TOKEN,
} from './served.ts'

export const HELLO = { protocol: PROTOCOL, node: 'n1', labels: [], after: {}, nodes: '', nodePorts: '' }

export interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly text: string
}

export class AskedResolver {
  readonly secrets = new TestSecrets()
  served!: ServedResolver
  readonly #open: { close(): unknown }[] = []

  async serve(options: Partial<ServedResolverOptions> = {}): Promise<ServedResolver> {
    this.served = await ServedResolver.start({ secrets: this.secrets, ...options })
    this.#open.push(this.served)
    return this.served
  }

  agent(options: Partial<ServedAgentOptions> = {}): ServedAgent {
    const made = new ServedAgent({ secrets: this.secrets, port: this.served.port, ...options })
    this.#open.push(made)
    return made
  }

  session(more: Parameters<typeof connect>[1] = {}): ClientHttp2Session {
    const ca = pem(this.secrets.authority.certFile)
    const made = connect(`https://localhost:${this.served.port}`, { ca, ...more })
    made.on('error', () => {})
    this.#open.push({ close: () => made.destroy() })
    return made
  }

  /** What is said to it, and what it says until it ends. */
  say(
    lines: readonly string[],
    headers: Record<string, string> = {},
    over: ClientHttp2Session = this.session(),
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const usual = { ':method': 'POST', ':path': PATH, 'content-type': CONTENT_TYPE, authorization: `Bearer ${TOKEN}` }
      const stream = over.request({ ...usual, ...headers }, { endStream: headers[':method'] === 'GET' })
      let text = ''
      let answer = { status: 0, retryAfter: undefined as string | undefined }
      stream.on('response', received => {
        answer = { status: Number(received[':status']), retryAfter: received['retry-after'] }
      })
      stream.setEncoding('utf8').on('data', part => {
        text += part
      })
      stream.on('error', reject)
      stream.on('close', () => resolve({ ...answer, text }))
      for (const each of lines) stream.write(each)
    })
  }

  greet(hello: object = HELLO, headers = {}): Promise<Answer> {
    return this.say([line({ hello })], headers)
  }

  async close(): Promise<void> {
    for (const each of this.#open.splice(0).reverse()) await each.close()
  }
}

/** `use` gets what the suite runs with. */
export function withAskedResolver(use: (resolver: AskedResolver) => void): void {
  let asked: AskedResolver | undefined
  before(() => {
    asked = new AskedResolver()
    use(asked)
  })
  afterEach(() => asked?.close())
  after(() => asked?.secrets.remove())
}
