// npm run fuzz -- TARGET [--seconds N] [--seed N] [--keep]: builds, replays what is known, then fuzzes.
import { parseArgs } from 'node:util'
import { build, fuzz, keepCorpus, missingTool, type Outcome, replay, type Target, targets } from './fuzzer.ts'

const usage = `usage: npm run fuzz -- ${targets.join('|')} [--seconds N] [--seed N] [--keep]\n`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '0' },
    keep: { type: 'boolean', default: false },
  },
})

process.exitCode = await main(positionals[0])

async function main(name: string | undefined): Promise<number> {
  const target = targets.find(each => each === name)
  const missing = missingTool()
  if (!target || missing) {
    process.stderr.write(missing ? `fuzz: ${missing}\n` : usage)
    return 2
  }
  await build()
  const known = await replay(target)
  if (known.exitCode !== 0) return tell(known)
  const code = tell(await fuzz(target, { seconds: Number(values.seconds), seed: Number(values.seed), fresh: false }))
  if (values.keep && code === 0) await keep(target)
  return code
}

function tell({ exitCode, executions, edges, findings, output }: Outcome): number {
  if (exitCode === 0) process.stdout.write(`${executions} executions, ${edges} edges, nothing found\n`)
  else process.stderr.write(`${output}\nfound:\n${findings.join('\n')}\n`)
  return exitCode
}

async function keep(target: Target): Promise<void> {
  process.stdout.write(`kept ${await keepCorpus(target)} inputs in fuzz/corpus/${target}\n`)
}
