// The verb `doctor`: can the agent work here, and what to do where not.
import type { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { loadConfigApart } from '../config/settings-process.ts'
import { type SettingsSources, sourcesText } from '../config/settings-sources.ts'
import { examine } from '../doctor/doctor.ts'
import { type Finding, fail, ok, type Status } from '../doctor/finding.ts'
import { systemClock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { podweirVersion } from '../host/version.ts'

export interface DoctorOptions {
  /** Settings files of the agent that is to run. */
  readonly config: readonly string[]
  readonly set: readonly string[]
  readonly output: 'text' | 'json'
  readonly out?: Writable & { isTTY?: boolean }
}

const SOMETHING_FAILED = 3
const MARKS: Readonly<Record<Status, readonly [string, 'green' | 'yellow' | 'red' | 'dim']>> = {
  ok: ['✔', 'green'],
  warn: ['!', 'yellow'],
  fail: ['✖', 'red'],
  skip: ['-', 'dim'],
}

/** Exit code 0 when nothing failed, 3 otherwise. */
export async function run({ config, set, output, out = process.stdout }: DoctorOptions): Promise<number> {
  const onFindings = (findings: readonly Finding[]) => {
    if (output === 'text') for (const finding of findings) out.write(describe(finding, out.isTTY ?? false))
  }
  const settings = await readSettings({ files: config, set })
  if (settings.finding) onFindings([settings.finding])
  const { mode, findings } = await examine({ config: settings.config, clock: systemClock, onFindings })
  const checks = settings.finding ? [settings.finding, ...findings] : findings
  const failed = checks.filter(({ status }) => status === 'fail').length
  if (output === 'json') out.write(`${JSON.stringify({ version: podweirVersion(), mode, checks }, undefined, 2)}\n`)
  else out.write(`${summary(checks, failed)}\n`)
  return failed > 0 ? SOMETHING_FAILED : 0
}

async function readSettings(sources: SettingsSources) {
  if (sources.files.length === 0 && sources.set.length === 0) return {}
  try {
    return { config: await loadConfigApart(sources), finding: ok('PW-141', `${sourcesText(sources)} is fine`) }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return { finding: fail('PW-141', `${sources.files.join(', ')} can’t be used`, error.message, error.remedy) }
  }
}

function describe({ code, status, what, why, fix }: Finding, coloured: boolean): string {
  const [mark, colour] = MARKS[status]
  const lines = [`${coloured ? styleText(colour, mark) : mark} ${code}  ${what}`]
  if (why !== '') lines.push(`          why  ${why}`)
  if (fix !== '') lines.push(`          fix  ${fix}`)
  return `${lines.join('\n')}\n`
}

function summary(checks: readonly Finding[], failed: number): string {
  const warned = checks.filter(({ status }) => status === 'warn').length
  return `${checks.length} checks: ${failed} failed, ${warned} warnings`
}
