// The real thing, small: programs loaded, attached to a scratch pair, and packets sent through it counted.

import type { FlowSource, Hook } from '../capture/flow-source.ts'
import type { DoctorSource, ScratchPair } from '../capture/native-doctor.ts'
import { NativeProbeSource, RETIRE_TIMES } from '../capture/native-probe.ts'
import { Failure } from '../host/failure.ts'
import type { Code } from './codes.ts'
import { type Finding, fail, failOf, ok, skip, warn } from './finding.ts'

const PACKETS = 5
const FLOWS = 256
const HOOKS: readonly { readonly hook: Hook; readonly code: Code }[] = [
  { hook: 'tcx', code: 'PW-132' },
  { hook: 'clsact', code: 'PW-133' },
]

interface Attempt {
  readonly hook: Hook
  readonly failure?: Failure
  /** Of what was sent. */
  readonly counted: number
}

/** Leaves nothing: the pair, the programs and the maps are gone when it resolves. */
export async function tryIt(doctor: DoctorSource): Promise<Finding[]> {
  const nothing = 'the kernel programs could not be loaded'
  let source: NativeProbeSource
  try {
    source = await NativeProbeSource.open({ flowLimit: FLOWS, retire: RETIRE_TIMES, auditEvery: 0 })
  } catch (error) {
    const loading = failOf('PW-131', 'the kernel programs can’t be loaded', failureOf(error))
    return [loading, ...untried(nothing)]
  }
  try {
    const { programs, maps } = await source.inspect()
    const loaded = ok('PW-131', `${programs.length} programs and ${maps.length} maps can be loaded`)
    return [loaded, ...(await tryPair(doctor, source))]
  } finally {
    await source.close()
  }
}

/** The same for who could not even try. */
export function untried(why: string): Finding[] {
  return [...HOOKS.map(({ hook, code }) => skip(code, `attaching by ${hook}`, why)), skip('PW-134', 'a packet', why)]
}

async function tryPair(doctor: DoctorSource, source: FlowSource): Promise<Finding[]> {
  let pair: ScratchPair
  try {
    pair = await doctor.makePair()
  } catch (error) {
    return untried(failureOf(error).message)
  }
  try {
    const attempts: Attempt[] = []
    for (const { hook } of HOOKS) attempts.push(await attempt(doctor, source, pair, hook))
    return [...attempts.map(describeHook), describePacket(attempts, pair)]
  } finally {
    await doctor.close()
  }
}

async function attempt(doctor: DoctorSource, source: FlowSource, pair: ScratchPair, hook: Hook): Promise<Attempt> {
  const place = pair.apart ? 'pod' : 'host'
  const netns = pair.netns === '' ? {} : { netns: pair.netns }
  try {
    const { interfaceSlot } = await source.attach({ ...netns, device: pair.device, place, hook })
    await doctor.send(PACKETS)
    const { interfaces } = await source.drain()
    const row = interfaces.interfaceSlot.indexOf(interfaceSlot)
    // At the host's end what is sent here is what its pod would receive.
    const counted = (pair.apart ? interfaces.fromPod : interfaces.toPod).seenPackets[row] ?? 0
    await source.detach(interfaceSlot)
    await source.drain()
    return { hook, counted }
  } catch (error) {
    return { hook, counted: 0, failure: failureOf(error) }
  }
}

function describeHook({ hook, failure }: Attempt): Finding {
  const code = hook === 'tcx' ? 'PW-132' : 'PW-133'
  if (!failure) return ok(code, `attached by ${hook} to a scratch device`)
  const what = `${hook} does not work here`
  const said = failOf(code, what, failure)
  if (hook === 'clsact')
    return { ...said, status: 'warn', fix: 'tcx is enough; else load the modules sch_ingress and cls_bpf' }
  const why = 'without tcx filters hang below a clsact, and the host’s end is only taken on request'
  return warn(code, what, `${said.why}; ${why}`, 'use Linux 6.6 or newer, or leave it: clsact does at the pod’s end')
}

function describePacket(attempts: readonly Attempt[], { apart }: ScratchPair): Finding {
  const where = apart ? 'in namespaces of its own' : 'in this namespace'
  const working = attempts.filter(each => each.counted >= PACKETS)
  const tried = attempts.filter(each => each.failure === undefined)
  if (tried.length > 0 && working.length === tried.length)
    return ok(
      'PW-134',
      `${PACKETS} packets sent and counted through a scratch pair ${where}, by ${working.map(({ hook }) => hook).join(' and ')}`,
    )
  if (tried.length === 0) {
    const why = attempts.map(({ failure }) => failure!.message).join('; ')
    return fail('PW-134', 'no packet could be counted: neither hook works', why, 'see PW-132 and PW-133')
  }
  const short = tried.filter(each => each.counted < PACKETS)
  const what = `${short.map(({ hook, counted }) => `${counted} of ${PACKETS} by ${hook}`).join(', ')} counted through a scratch pair ${where}`
  return fail('PW-134', what, 'packets pass by our programs', 'report it, with the output of podweir doctor -o json')
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error
  throw error
}
