#!/usr/bin/env node
// The command line: which verbs there are and what each takes. A verb's code is loaded when it is asked for.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from './config/duration.ts'

const lingerMs = 2_000

type Verb = (command: Command, done: (exitCode: number) => void) => void

/** An option that may come again. */
function collected(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function durationMs(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms === 0) throw new InvalidArgumentError('A duration is a number and a unit: 30s, 5m, 1h30m.')
  return ms
}

const agent: Verb = (command, done) =>
  command
    .command('agent')
    .alias('run')
    .description('count the packets of this machine’s pods and push OpenTelemetry')
    .option('-c, --config <file>', 'settings in YAML; may come again: each adds to those before it', collected, [])
    .option('--set <key.key=value>', 'one setting, which beats the files; may come again', collected, [])
    .addHelpText('after', '\nExample:\n  sudo podweir agent --config otel-config/agent.yaml')
    .action(async options => {
      const { run } = await import('./cli/agent.ts')
      done(await run({ config: options.config, set: options.set }))
    })

const resolver: Verb = (command, done) =>
  command
    .command('resolver')
    .description('watch a cluster once and tell agents who has which address')
    .option('-c, --config <file>', 'settings in YAML; may come again: each adds to those before it', collected, [])
    .option('--set <key.key=value>', 'one setting, which beats the files; may come again', collected, [])
    .addHelpText('after', '\nExample:\n  podweir resolver --config resolver.yaml')
    .action(async options => {
      const { run } = await import('./cli/resolver.ts')
      done(await run({ config: options.config, set: options.set }))
    })

const demo: Verb = (command, done) =>
  command
    .command('demo')
    .description('a pretend cluster on this machine, with real traffic and a receipt at the end')
    .option('--for <duration>', 'stop after this time (30s, 5m); without it Ctrl-C stops it', durationMs)
    .option('--headless', 'print the receipt alone')
    .addOption(new Option('-o, --output <format>', 'the receipt’s form').choices(['text', 'json']).default('text'))
    .option('--otlp <url>', 'send to your own Collector as well, by gRPC')
    .option('--clean', 'remove what a killed demo left behind, and stop')
    .addHelpText('after', '\nExample:\n  sudo podweir demo --for 30s --headless -o json')
    .action(async options => {
      const { run } = await import('./cli/demo.ts')
      const { headless = false, clean = false, output, otlp } = options
      done(await run({ forMs: options.for, headless, output, otlp, clean }))
    })

const flows: Verb = (command, done) =>
  command
    .command('flows')
    .description('flows of the agent that runs here, one line each')
    .argument('[filter...]', 'terms that must all hold (docs/filter.md): shop dst.port:443 !state:refused')
    .addOption(
      new Option('-o, --output <format>', 'form of a flow').choices(['table', 'json', 'jsonl']).default('table'),
    )
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('-a, --all', 'in the table too: flows that the other end’s interface reports')
    .option('-p, --problems', 'flows alone with which something is wrong')
    .addOption(
      new Option('-s, --status', 'how the agent is and each interface, and why not').conflicts([
        'follow',
        'all',
        'problems',
      ]),
    )
    .option('--socket <path>', 'the agent’s socket, where its configuration moved it')
    .addHelpText('after', "\nExample:\n  sudo podweir flows --follow dst:payments 'rtt>20ms'")
    .action(async (filter, options) => {
      const { run } = await import('./cli/flows.ts')
      done(
        await run({
          output: options.output,
          follow: options.follow ?? false,
          filter: filter.join(' '),
          all: options.all ?? false,
          problems: options.problems ?? false,
          status: options.status ?? false,
          socket: options.socket,
        }),
      )
    })

const doctor: Verb = (command, done) =>
  command
    .command('doctor')
    .description('whether the agent can work here, and what to do where not')
    .option('-c, --config <file>', 'settings of the agent that is to run: exporters are tried too', collected, [])
    .option('--set <key.key=value>', 'one setting more; may come again', collected, [])
    .addOption(new Option('-o, --output <format>', 'form of the findings').choices(['text', 'json']).default('text'))
    .addHelpText('after', '\nExample:\n  sudo podweir doctor --config otel-config/agent.yaml')
    .action(async options => {
      const { run } = await import('./cli/doctor.ts')
      done(await run({ config: options.config, set: options.set, output: options.output }))
    })

const config: Verb = (command, done) => {
  const verb = command
    .command('config')
    .description('look at a configuration file')
    .addHelpText('after', '\nExample:\n  podweir config check otel-config/agent.yaml')
  verb
    .command('check')
    .description('say whether the agent would take it, and where not')
    .argument('<files...>', 'each adds to those before it')
    .option('--set <key.key=value>', 'one setting, which beats the files; may come again', collected, [])
    .addHelpText('after', '\nExample:\n  podweir config check otel-config/agent.yaml')
    .action(async (files, { set }) => done(await (await import('./cli/config.ts')).check({ files, set })))
  verb
    .command('print')
    .description('print what the agent makes of it, with its defaults and without secrets')
    .argument('[files...]', 'each adds to those before it; without any every setting has its default')
    .option('--set <key.key=value>', 'one setting, which beats the files; may come again', collected, [])
    .option('--origin', 'say behind each value where it comes from')
    .addHelpText('after', '\nExample:\n  podweir config print --origin otel-config/agent.yaml')
    .action(async (files, { set, origin }) =>
      done(await (await import('./cli/config.ts')).print({ files, set }, origin ?? false)),
    )
  verb
    .command('schema')
    .description('print the JSON Schema of a configuration file, for editors')
    .addHelpText('after', '\nExample:\n  podweir config schema > podweir.schema.json')
    .action(async () => done(await (await import('./cli/config-schema.ts')).run()))
}

const detach: Verb = (command, done) =>
  command
    .command('detach')
    .description('take off this machine what agents that are gone have left on it')
    .option('--pins <directory>', 'where they were pinned', '/sys/fs/bpf/podweir')
    .option('--purge', 'remove clsact qdiscs without any filter from this machine’s devices as well')
    .option('--stay', 'then wait for a signal, so that no agent starts here')
    .addHelpText('after', '\nExample:\n  sudo podweir detach')
    .action(async options => {
      const { run } = await import('./cli/detach.ts')
      done(await run({ pins: options.pins, purge: options.purge ?? false, stay: options.stay ?? false }))
    })

const test: Verb = (command, done) =>
  command
    .command('test')
    .description('run every test, those that need root and real servers too')
    .option('--only <level>', 'one level alone; --list names them')
    .addOption(new Option('--kernels', 'the kernel matrix alone, as --only kernels').conflicts('only'))
    .option('--list', 'print the levels and their files')
    .addHelpText('after', '\nExample:\n  sudo podweir test --only ebpf')
    .action(async options => {
      const { run } = await import('./cli/test.ts')
      done(await run({ only: options.kernels ? 'kernels' : options.only, list: options.list ?? false }))
    })

const version: Verb = (command, done) =>
  command
    .command('version')
    .description('print versions of Podweir, Node and kernel')
    .addHelpText('after', '\nExample:\n  podweir version')
    .action(async () => done(await (await import('./cli/version.ts')).run()))

const verbs = [agent, resolver, demo, flows, doctor, detach, config, test, version]

function commandLine(done: (exitCode: number) => void): Command {
  const program = new Command('podweir')
    .description('Counts every packet of every pod with eBPF and says so in OpenTelemetry.')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'podweir: ')) })
    .addHelpText('after', '\nExample:\n  sudo podweir demo')
    .exitOverride()
  for (const verb of verbs) verb(program, done)
  addRemedies(program, 'podweir')
  return program
}

function addRemedies(command: Command, name: string): void {
  command.showHelpAfterError(`  → ${name} --help`)
  for (const verb of command.commands) addRemedies(verb, `${name} ${verb.name()}`)
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  // Not `instanceof Failure`: an import of its file for a start that does not fail.
  const { name, step, subject, cause, remedy, exitCode } = error as Record<string, unknown>
  if (name === 'Failure') {
    process.stderr.write(`podweir: ${step} ${subject}: ${cause}\n  → ${remedy}\n`)
    return exitCode as number
  }
  process.stderr.write(`podweir: a mistake of ours: ${error instanceof Error ? error.stack : error}\n`)
  return 1
}

/** A verb closes what it opened. If one forgets, the end comes late and says so. */
function leaveSoon(): void {
  setTimeout(() => {
    process.stderr.write(`podweir: still open at the end: ${process.getActiveResourcesInfo().join(', ')}\n`)
    process.exit()
  }, lingerMs).unref()
}

// Who reads our output may stop before its end: podweir flows | head.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  process.exit()
})

try {
  await commandLine(exitCode => {
    process.exitCode = exitCode
  }).parseAsync()
} catch (error) {
  process.exitCode = explain(error)
}
leaveSoon()
