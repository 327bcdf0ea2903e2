// A configuration as `config print` shows it.
import type { Config } from '../../lib/config/config.ts'
import { describeSettings } from '../../lib/config/describe.ts'
import { settingsText } from '../../lib/config/settings-text.ts'
import { YamlDocument } from '../../lib/config/yaml-document.ts'

export function configText(config: Config): string {
  return settingsText(describeSettings(config), new YamlDocument([]), false)
}

/** The same settings elsewhere in a file come to the same. */
export function withoutPlaces<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (key, each) => (key === 'place' ? undefined : each)) as T
}
