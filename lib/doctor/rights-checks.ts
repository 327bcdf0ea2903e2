// What this process may do, and which mode of the agent that is enough for.
import {
  type Capability,
  missingOf,
  type Profile,
  type ProfileName,
  PURPOSES,
  profileOf,
} from '../capture/privileges.ts'
import { type Finding, fail, ok, warn } from './finding.ts'

export type Mode = ProfileName | 'none'

export interface Rights {
  readonly mode: Mode
  readonly findings: readonly Finding[]
}

const GRANT =
  'run as root, or grant them: securityContext.capabilities.add (Kubernetes), AmbientCapabilities= (systemd)'

/** `attach` and `modules` as the settings have them, which decide what is missed. */
export function checkRights(held: ReadonlySet<Capability>, settings: Parameters<typeof profileOf>[0]): Rights {
  // Flows are counted without the modules.
  const modules = { drops: false, dns: false, conntrack: false }
  const wanted = profileOf({ ...settings, modules })
  const restricted = profileOf({ attach: 'host', modules })
  const mode = [wanted, restricted].find(profile => missingOf(profile, held).length === 0)?.name ?? 'none'
  return { mode, findings: [checkCapabilities(profileOf(settings), held), checkMode(mode, wanted, restricted, held)] }
}

function checkCapabilities(wanted: Profile, held: ReadonlySet<Capability>): Finding {
  const missing = missingOf(wanted, held)
  const has = [...wanted.process, ...wanted.entering, ...wanted.welcome].filter(name => held.has(name))
  const list = `has ${has.map(short).join(', ') || 'none of those that matter'}`
  if (missing.length === 0) return ok('PW-111', `capabilities: ${list}`)
  const what = `capabilities: ${list}; missing ${missing.join(', ')}`
  const why = missing.map(name => `${name}: ${PURPOSES[name]}`).join('; ')
  const vital = missing.some(name => name === 'CAP_BPF' || name === 'CAP_NET_ADMIN')
  return (vital ? fail : warn)('PW-111', what, why, GRANT)
}

function checkMode(mode: Mode, wanted: Profile, restricted: Profile, held: ReadonlySet<Capability>): Finding {
  if (mode === wanted.name) return ok('PW-112', `mode ${mode} would work`)
  if (mode === 'restricted') {
    const why = 'pods are counted at the host’s end; docs/privileges.md has the difference'
    return warn(
      'PW-112',
      'mode restricted would work, mode standard would not',
      why,
      'set attach: host, or grant what is missing',
    )
  }
  const why = `even restricted needs ${missingOf(restricted, held).join(', ')}`
  return fail('PW-112', 'no mode would work', why, GRANT)
}

const short = (name: string) => name.replace(/^CAP_/, '')
