// Every code of a finding. A code never changes its meaning and is never used again for another.

/** Code to what is looked at; docs/troubleshooting.md has a row for each. */
export const codes = {
  'PW-101': 'the kernel’s version',
  'PW-102': 'the kernel’s types (BTF)',
  'PW-103': 'lockdown and sysctls that concern BPF',
  'PW-104': 'the native addon',
  'PW-111': 'capabilities',
  'PW-112': 'the mode that they are enough for',
  'PW-113': 'the limit of locked memory',
  'PW-121': 'the BPF file system',
  'PW-122': 'control groups',
  'PW-123': 'processes of the host',
  'PW-124': 'programs of others at network devices',
  'PW-125': 'another agent',
  'PW-126': 'the clock',
  'PW-127': 'connection tracking',
  'PW-128': 'whose sockets are the node’s',
  'PW-131': 'loading the kernel programs',
  'PW-132': 'attaching by tcx',
  'PW-133': 'attaching by clsact',
  'PW-134': 'a packet through a scratch pair',
  'PW-141': 'the settings',
  'PW-142': 'where exporters send',
} as const

export type Code = keyof typeof codes
