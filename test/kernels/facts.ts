// Everything that a guest must say of its kernel, in the order in which it does.
import { corpusFacts } from './corpus-file.ts'

const hooks = ['clsact', 'tcx'].flatMap(hook => [`${hook} at the pod's end`, `${hook} at the host's end`])
const ofEachHook = [
  'hooks both directions',
  'counts every packet of TCP',
  'counts every byte of TCP',
  'puts every packet into one place',
  'sees what the device counts',
  'goes without a trace',
]

export const facts: readonly string[] = [
  'loads every program',
  'loads them with the capabilities of mode restricted',
  'chooses the best hook that there is',
  'takes over from an agent that was killed',
  ...hooks.flatMap(hook => ofEachHook.map(fact => `${hook} ${fact}`)),
  'counts packets without a slot as overflow',
  'gives the slots of flows that ended to others',
  'has read the whole corpus',
  ...corpusFacts,
  'attaches to 20 namespaces that come and go, and counts each to its end',
  'counts what it drops by its reason',
  'tells what DNS answers, whole and once, and counts it',
  'goes on from the pins of an agent that was killed, with every packet meanwhile',
  'leaves no pin when it ends',
  'leaves no program, map or link behind',
  'makes the kernel complain of nothing',
]
