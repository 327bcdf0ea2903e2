// All checks, in the order in which one may explain the next.
import { release } from 'node:os'
import { DoctorSource, type NamespaceSeen } from '../capture/native-doctor.ts'
import { loadAddon } from '../capture/native-probe.ts'
import { heldCapabilities } from '../capture/privileges.ts'
import type { Config } from '../config/config.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { checkExporters } from './export-checks.ts'
import { type Finding, failOf, ok, skip } from './finding.ts'
import { checkKernel, checkMemlock } from './kernel-checks.ts'
import {
  checkBpffs,
  checkCgroups,
  checkClock,
  checkConntrack,
  checkOtherAgent,
  checkProcesses,
  checkPrograms,
  checkSockets,
} from './node-checks.ts'
import { checkRights, type Mode } from './rights-checks.ts'
import { tryIt, untried } from './trial.ts'

export interface Examination {
  /** Settings of the agent that is to run; absent: its defaults, and no exporter is asked. */
  readonly config?: Config | undefined
  readonly clock: Clock
  /** Called with each group of findings as it comes. */
  readonly onFindings?: (findings: readonly Finding[]) => void
}

export interface Diagnosis {
  readonly mode: Mode
  readonly findings: readonly Finding[]
}

const DEFAULTS = { attach: 'auto', modules: { drops: false, dns: false, conntrack: false } } as const
const DEFAULT_SOCKET = '/run/podweir/podweir.sock'

export async function examine({ config, clock, onFindings = () => {} }: Examination): Promise<Diagnosis> {
  const findings: Finding[] = []
  const add = (...found: Finding[]) => {
    findings.push(...found)
    onFindings(found)
  }
  add(...checkKernel(release()))
  let mode: Mode = 'none'
  try {
    loadAddon()
    add(ok('PW-104', 'the native addon can be loaded'))
    mode = await examineByAddon(config, add)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const why = 'the native addon could not be loaded'
    add(failOf('PW-104', why, error), skip('PW-131', 'loading the kernel programs', why), ...untried(why))
  }
  add(checkBpffs(), checkCgroups(), checkSockets(), checkClock(clock))
  add(await checkOtherAgent(config?.apiEndpoint?.replace(/^unix:(\/\/)?/, '') ?? DEFAULT_SOCKET))
  if (config) add(...(await checkExporters(config)))
  return { mode, findings }
}

async function examineByAddon(config: Config | undefined, add: (...found: Finding[]) => void): Promise<Mode> {
  const rights = checkRights(heldCapabilities(), config ?? DEFAULTS)
  add(...rights.findings, checkMemlock(release()))
  const doctor = new DoctorSource()
  const namespaces: NamespaceSeen[] = await doctor.namespaces()
  add(checkProcesses(namespaces), await checkPrograms(doctor, namespaces))
  add(await checkConntrack(doctor, (config ?? DEFAULTS).modules.conntrack))
  add(...(await tryIt(doctor)))
  return rights.mode
}
