// What settings of the processor `attributes` must not do: mistake a name, make one key of two, or one series of two.
import type { Config } from '../config/config.ts'
import { didYouMean } from '../config/did-you-mean.ts'
import type { AttributesConfig } from '../config/processors.ts'
import { Failure } from '../host/failure.ts'
import { allAttributes, attributesTogether, isOfPod } from './attribute-names.ts'
import { nameOf } from './attribute-naming.ts'
import { tellsSeriesApart } from './series-identity.ts'

/** Throws a Failure for the first that it finds. */
export function checkAttributeProcessors({ pipelines }: Pick<Config, 'pipelines'>): void {
  for (const { signal, processors } of pipelines) {
    const steps = processors.filter(processor => processor.type === 'attributes')
    for (const [i, step] of steps.entries()) {
      const before = steps.slice(0, i)
      refuseUnknown(step, before)
      if (signal === 'metrics') refuseMerging(step, before)
    }
    const last = steps.at(-1)
    for (const together of attributesTogether()) if (last) refuseTwins(last, steps, together)
  }
}

/** `before`: what renames it first. */
function refuseUnknown(step: AttributesConfig, before: readonly AttributesConfig[]): void {
  const known = allAttributes().flatMap(key => nameOf(key, before) ?? [])
  for (const [setting, keys] of [
    ['rename', Object.keys(step.rename)],
    ['drop', step.drop],
  ] as const)
    for (const key of keys)
      if (!known.includes(key) && !isOfPod(key))
        refuse(
          step,
          `${setting}: '${key}'`,
          `there is no such attribute${didYouMean(key, known)}`,
          'docs/signals.md has them all',
        )
}

function refuseMerging(step: AttributesConfig, before: readonly AttributesConfig[]): void {
  const originals = allAttributes().filter(key => step.drop.includes(nameOf(key, before) ?? ''))
  const [first] = originals.filter(tellsSeriesApart)
  if (first === undefined) return
  const cause = 'without it different series of metrics would be one, and their counts wrong'
  refuse(
    step,
    `drop: '${nameOf(first, before)}'`,
    cause,
    'choose a coarser receivers.podweir.level, or drop it in the backend',
  )
}

function refuseTwins(step: AttributesConfig, steps: readonly AttributesConfig[], together: readonly string[]): void {
  const owners = new Map<string, string>()
  for (const key of together) {
    const name = nameOf(key, steps)
    if (name === undefined) continue
    const other = owners.get(name)
    if (other !== undefined)
      refuse(step, `rename: '${key}'`, `'${other}' is called ${name} as well`, 'give it another name')
    owners.set(name, key)
  }
}

function refuse({ place, id }: AttributesConfig, setting: string, cause: string, remedy: string): never {
  const subject = `${place}: processors.${id}.${setting}`
  throw new Failure({ step: 'check configuration', subject, cause, remedy, exitCode: 2 })
}
