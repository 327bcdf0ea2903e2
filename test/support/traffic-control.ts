// What hangs on a device as tc(8) shows it: Podweir's filters, everybody else's, and the qdisc that carries them.
import { runCommand } from '../../lib/demo/command.ts'

const REMEDY = 'run as root, with iproute2 installed'

/** A row of `tc filter show`: without statistics, so that two rows are equal when nobody changed the filter. */
export interface Filter {
  readonly direction: 'ingress' | 'egress'
  readonly pref: number
  readonly kind: string
  readonly options?: { readonly handle?: string; readonly bpf_name?: string; readonly prog?: { readonly id: number } }
}

/** `netns` is a name under /run/netns; absent: the process's own namespace. */
export async function tc(netns: string | undefined, ...args: string[]): Promise<string> {
  return runCommand('tc', [...(netns === undefined ? [] : ['-netns', netns]), ...args], { remedy: REMEDY })
}

/** `clsact` or `ingress`, when there is one. */
export async function hookQdiscs(device: string, netns?: string): Promise<string[]> {
  const kinds = (await rows<{ kind: string }>(netns, 'qdisc', 'show', 'dev', device)).map(({ kind }) => kind)
  return kinds.filter(kind => kind === 'clsact' || kind === 'ingress')
}

/** Each filter once; a row that only names its kind is left out. */
export async function filters(device: string, netns?: string): Promise<Filter[]> {
  const found: Filter[] = []
  if ((await hookQdiscs(device, netns)).length === 0) return found
  for (const direction of ['ingress', 'egress'] as const)
    for (const row of await rows<Filter>(netns, 'filter', 'show', 'dev', device, direction))
      if (row.options) found.push({ ...row, direction })
  return found
}

/** Podweir's own, as `ingress 1 podweir_in_001`. */
export async function ownFilters(device: string, netns?: string): Promise<string[]> {
  return (await filters(device, netns))
    .filter(isOurs)
    .map(({ direction, pref, options }) => `${direction} ${pref} ${options?.bpf_name}`)
}

/** Everybody else's. */
export async function foreignFilters(device: string, netns?: string): Promise<Filter[]> {
  return (await filters(device, netns)).filter(filter => !isOurs(filter))
}

function isOurs({ options }: Filter): boolean {
  return options?.bpf_name?.startsWith('podweir_') ?? false
}

async function rows<Row>(netns: string | undefined, ...args: string[]): Promise<Row[]> {
  const text = await tc(netns, '-json', ...args)
  return text.trim() === '' ? [] : (JSON.parse(text) as Row[])
}
