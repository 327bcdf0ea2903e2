// Where settings are: files, of which each adds to those before it, and single values of the command line, which beat them.
import { Failure } from '../host/failure.ts'
import type { YamlText } from './yaml-source.ts'

export interface SettingsSources {
  readonly files: readonly string[]
  /** `KEY.KEY=VALUE` each. */
  readonly set: readonly string[]
}

/**
 * Keys are between dots, as the Collector's `--set` has them, or between `::` where a key has dots itself. The value is YAML.
 * Its name leaves the value out, which may be a secret.
 */
export function settingOf(argument: string): YamlText {
  const equals = argument.indexOf('=')
  const keys = argument.slice(0, Math.max(0, equals)).trim()
  const under = keys.split(keys.includes('::') ? '::' : '.')
  if (equals < 0 || under.some(key => key === '')) {
    throw new Failure({
      step: 'read',
      subject: `--set ${keys}`,
      cause: equals < 0 ? 'it has no =VALUE' : 'it names no setting',
      remedy: 'write KEY.KEY=VALUE, such as receivers.podweir.detail=full; where a key has dots, KEY::KEY=VALUE',
      exitCode: 2,
    })
  }
  return { name: `--set ${keys}`, text: argument.slice(equals + 1), under }
}

export function sourcesText({ files, set }: SettingsSources): string {
  return [...files, ...set.map(each => settingOf(each).name)].join(', ') || 'defaults'
}
