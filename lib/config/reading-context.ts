// What whoever makes configuration of settings needs beside them.
import type { Environment } from './substitution.ts'
import type { YamlDocument } from './yaml-document.ts'

export interface ReadingContext {
  readonly document: YamlDocument
  readonly environment: Environment
  /** For the log: what is allowed but hardly meant. */
  readonly warnings: string[]
}
