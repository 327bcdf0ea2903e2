// What the machine around the agent shows: file systems, processes, other programs, another agent, the time.
import { accessSync, constants, existsSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import type { DoctorSource, NamespaceSeen, ProgramAt } from '../capture/native-doctor.ts'
import type { Clock } from '../host/clock.ts'
import { Failure } from '../host/failure.ts'
import { inNodeNamespace } from '../host/node-namespace.ts'
import { type Finding, fail, failOf, ok, skip, warn } from './finding.ts'

const BPFFS = '/sys/fs/bpf'
/** linux/magic.h. */
const BPF_FS_MAGIC = 0xcafe4a11
const CGROUP2_MAGIC = 0x63677270
/** linux/proc_ns.h: the first namespaces of a machine always have these inodes. */
const FIRST_PID_NAMESPACE = 0xeffffffc
const FIRST_CGROUP_NAMESPACE = 0xeffffffb
const CGROUP_TREES = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified']
const NOT_TRACKED = 'which pod of a Service took a connection is not known: edges end at what its endpoints share'
const ANSWER_LIMIT_MS = 1_000
const MOST_NAMED = 8

export function checkBpffs(): Finding {
  const why = 'without it counting stops with the agent, and what happens until the next start is not seen'
  const mount = `mount -t bpf bpf ${BPFFS}, or in Kubernetes a hostPath volume of it`
  if (typeOf(BPFFS) !== BPF_FS_MAGIC) return warn('PW-121', `no BPF file system at ${BPFFS}`, why, mount)
  try {
    accessSync(BPFFS, constants.W_OK)
    return ok('PW-121', `BPF file system at ${BPFFS}, writable`)
  } catch {
    return warn(
      'PW-121',
      `the BPF file system at ${BPFFS} is not writable`,
      why,
      'mount it read-write, run as its owner',
    )
  }
}

export function checkCgroups(): Finding {
  const version = typeOf('/sys/fs/cgroup') === CGROUP2_MAGIC ? 2 : 1
  if (namespaceInode('cgroup') === FIRST_CGROUP_NAMESPACE) return ok('PW-122', `cgroup v${version}, of the host`)
  const why =
    'paths of pods are seen from inside a cgroup namespace: some begin with /.., and ids in them may be cut off'
  return warn(
    'PW-122',
    `cgroup v${version}, in a cgroup namespace`,
    why,
    'share the host’s (Kubernetes does with privileges alone), or use an inventory',
  )
}

/** Sockets say their cgroup, and its name says whose pod that is. */
export function checkSockets(): Finding {
  const code = 'PW-128'
  const tree = CGROUP_TREES.find(path => typeOf(path) === CGROUP2_MAGIC)
  // The root alone has no type.
  if (tree !== undefined && !existsSync(`${tree}/cgroup.type`))
    return ok(code, `pods of the host network are known by their sockets (${tree})`)
  const seen = tree === undefined ? 'no tree of cgroup v2' : `a part of the tree of cgroup v2 at ${tree}`
  const why = 'what pods of the host network serve on this node goes by the ports that they declare, else by node'
  const fix = 'mount the host’s /sys/fs/cgroup there, read-only; with cgroup v1 alone there is no way'
  return warn(code, seen, why, fix)
}

/** Settings decide whether it is asked: asking loads modules of the kernel. */
export async function checkConntrack(doctor: DoctorSource, isOn: boolean): Promise<Finding> {
  const code = 'PW-127'
  if (!isOn) return skip(code, 'connection tracking', 'the module conntrack is off')
  const fix = 'run in the node’s own network namespace (hostNetwork: true), or set modules.conntrack: off'
  const where = inNodeNamespace()
  if (where === 'no') return warn(code, 'this is not the node’s network namespace', NOT_TRACKED, fix)
  try {
    const entries = await doctor.trackedConnections()
    const sure = where === 'yes' ? '' : '; whether this is the node’s network namespace can’t be told without hostPID'
    return ok(code, `${entries} connections are tracked here${sure}`)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const asked = failOf(code, 'connection tracking can’t be asked', error)
    return { ...asked, status: 'warn', why: `${asked.why}; ${NOT_TRACKED}` }
  }
}

export function checkProcesses(namespaces: readonly NamespaceSeen[] | undefined): Finding {
  const code = 'PW-123'
  const seen =
    namespaces &&
    `${namespaces.length} other network namespaces, ${namespaces.filter(each => each.cgroup !== '').length} with processes`
  if (namespaceInode('pid') === FIRST_PID_NAMESPACE)
    return ok(code, `processes of the host are visible${seen ? `: ${seen}` : ''}`)
  const why = 'a pod’s processes tell who it is; without them its addresses have to'
  return warn(
    code,
    `processes of the host are not visible${seen ? ` (${seen})` : ''}`,
    why,
    'hostPID: true for mode standard; mode restricted does without',
  )
}

/** Of our own namespace, where host ends are, and of all that can be entered. */
export async function checkPrograms(doctor: DoctorSource, namespaces: readonly NamespaceSeen[]): Promise<Finding> {
  const code = 'PW-124'
  const found: (ProgramAt & { netns: string })[] = []
  let closed = 0
  for (const netns of ['', ...namespaces.map(({ path }) => path)]) {
    try {
      for (const each of await doctor.programs(netns)) if (!each.ours) found.push({ ...each, netns })
    } catch {
      closed++
    }
  }
  const unseen = closed > 0 ? `; ${closed} namespaces could not be entered` : ''
  if (found.length === 0) return ok(code, `no program of others at a network device${unseen}`)
  const named = found.slice(0, MOST_NAMED).map(each => `${each.hook} ${each.name || '(no name)'} at ${placeOf(each)}`)
  const what = `${named.join(', ')}${found.length > MOST_NAMED ? ` and ${found.length - MOST_NAMED} more` : ''}${unseen}`
  const first = found.find(({ hook }) => hook === 'xdp' || hook === 'qdisc')
  if (!first) return ok(code, `they go on beside ours: ${what}`)
  const why =
    first.hook === 'xdp'
      ? 'XDP comes before us: what it drops or redirects is not counted'
      : 'beside an ingress qdisc there can be no clsact: only tcx can attach there'
  return warn(
    code,
    what,
    why,
    first.hook === 'xdp'
      ? 'look at what it drops by its own counters'
      : 'use a kernel with tcx (6.6), or remove the qdisc',
  )
}

const placeOf = ({ netns, device }: { netns: string; device: string }) =>
  netns === '' ? device : `${device} in ${netns}`

/** `socket`: path of the agent's API. */
export async function checkOtherAgent(socket: string): Promise<Finding> {
  const answer = await answerOf(socket)
  if (answer === 'connected') {
    const why = 'two agents of one machine count the same packets twice'
    return warn(
      'PW-125',
      `an agent answers at ${socket}`,
      why,
      'stop it before you start another, or leave it: podweir flows',
    )
  }
  if (answer === 'EACCES') return skip('PW-125', `${socket} may not be opened`, 'another user owns it: ask as root')
  return ok('PW-125', `no agent answers at ${socket}`)
}

function answerOf(socket: string): Promise<string> {
  return new Promise(resolve => {
    const connection = connect(socket)
    const settle = (answer: string) => {
      connection.destroy()
      resolve(answer)
    }
    connection.setTimeout(ANSWER_LIMIT_MS, () => settle('timeout'))
    connection.on('connect', () => settle('connected'))
    connection.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'error'))
  })
}

/** The time is at least that of our own files. */
export function checkClock(clock: Clock): Finding {
  const installedMs = statSync(new URL('../../package.json', import.meta.url)).mtimeMs
  const now = new Date(clock.nowMs()).toISOString()
  if (clock.nowMs() >= installedMs) return ok('PW-126', `the clock says ${now}`)
  const why = 'points get times from it: backends drop what is far from theirs'
  return fail(
    'PW-126',
    `the clock says ${now}, which is before Podweir was installed`,
    why,
    'set it: timedatectl set-ntp true, or chronyc makestep',
  )
}

function typeOf(path: string): number | undefined {
  try {
    return statfsSync(path).type
  } catch {
    return undefined
  }
}

function namespaceInode(kind: string): number {
  return Number(/\d+/.exec(readlinkSync(`/proc/self/ns/${kind}`))?.[0])
}
