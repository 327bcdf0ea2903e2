// A real Kafka broker, one node that is its own controller, and the command line tools that come with it.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureServer, freePorts, ServerProcess } from './server-process.ts'

const run = promisify(execFile)
const JAVA = '/usr/bin/java'

export class Kafka {
  /** `HOST:PORT`. */
  readonly broker: string
  readonly process: ServerProcess
  readonly #classes: string

  constructor(process: ServerProcess, port: number, classes: string) {
    this.process = process
    this.broker = `127.0.0.1:${port}`
    this.#classes = classes
  }

  async createTopic(topic: string): Promise<void> {
    await this.#tool('org.apache.kafka.tools.TopicCommand', ['--create', '--topic', topic, '--partitions', '1'])
  }

  /** One record for each line. */
  async produce(topic: string, lines: readonly string[]): Promise<void> {
    await this.#tool('org.apache.kafka.tools.ConsoleProducer', ['--topic', topic], `${lines.join('\n')}\n`)
  }

  /** The first `count` records of the topic, as lines. */
  async consume(topic: string, count: number): Promise<string[]> {
    const args = ['--topic', topic, '--from-beginning', '--max-messages', String(count), '--timeout-ms', '30000']
    const said = await this.#tool('org.apache.kafka.tools.consumer.ConsoleConsumer', args)
    return said.split('\n').filter(line => line !== '')
  }

  async stop(): Promise<void> {
    await this.process.stop()
  }

  async kill(): Promise<void> {
    await this.process.kill()
  }

  async #tool(name: string, args: readonly string[], input = ''): Promise<string> {
    const command = run(JAVA, ['-cp', this.#classes, name, '--bootstrap-server', this.broker, ...args])
    command.child.stdin!.end(input)
    return (await command).stdout
  }
}

export async function hasJava(): Promise<boolean> {
  return run(JAVA, ['-version']).then(
    () => true,
    () => false,
  )
}

/** Ready when it resolves: eight seconds. */
export async function startKafka({ folder }: { folder: string }): Promise<Kafka> {
  const classes = join(await ensureServer('kafka', '4.1.0'), 'libs/*')
  const [broker, controller] = await freePorts(2)
  const file = join(folder, 'server.properties')
  writeFileSync(file, properties(join(folder, 'kafka'), broker!, controller!))
  const storage = [JAVA, '-cp', classes, 'kafka.tools.StorageTool'] as const
  const { stdout: id } = await run(storage[0], [...storage.slice(1), 'random-uuid'])
  await run(storage[0], [...storage.slice(1), 'format', '-t', id.trim(), '-c', file])
  const process = new ServerProcess({
    name: 'Kafka',
    command: [JAVA, '-Xmx384m', '-cp', classes, 'kafka.Kafka', file],
    ready: /Kafka Server started/,
  })
  await process.start()
  return new Kafka(process, broker!, classes)
}

function properties(folder: string, brokerPort: number, controllerPort: number): string {
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${brokerPort},CONTROLLER://127.0.0.1:${controllerPort}
controller.listener.names=CONTROLLER
log.dirs=${folder}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
`
}
