// Which pods are in scope, by their namespace, labels and workload.
import { namePattern } from '../config/name-pattern.ts'
import type { ScopeConfig, ScopeRules } from '../config/scope.ts'

/** What is known of a pod; of one without a name in Kubernetes that is nothing. */
export interface ScopedPod {
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly workload?: { readonly kind: string; readonly name: string }
}

type Rule = (pod: ScopedPod) => boolean

export class PodScope {
  /** Of each kind that has rules one must fit. */
  readonly #include: readonly (readonly Rule[])[]
  /** None may fit. */
  readonly #exclude: readonly Rule[]

  constructor({ include, exclude }: ScopeConfig) {
    this.#include = rulesByKind(include).filter(rules => rules.length > 0)
    this.#exclude = rulesByKind(exclude).flat()
  }

  has(pod: ScopedPod): boolean {
    if (this.#exclude.some(fits => fits(pod))) return false
    return this.#include.every(rules => rules.some(fits => fits(pod)))
  }
}

function rulesByKind({ namespaces, labels, workloads }: ScopeRules): Rule[][] {
  return [namespaces.map(namespaceRule), labels.map(labelRule), workloads.map(workloadRule)]
}

function namespaceRule(pattern: string): Rule {
  const fits = namePattern(pattern)!
  return ({ namespace }) => namespace !== undefined && fits.test(namespace)
}

function labelRule(label: string): Rule {
  const [key = '', pattern] = label.split('=')
  // A label may be empty, and a pattern may not.
  const fits = pattern === undefined ? /^/ : pattern === '' ? /^$/ : namePattern(pattern)!
  return ({ labels = {} }) => Object.hasOwn(labels, key) && fits.test(labels[key]!)
}

function workloadRule(text: string): Rule {
  const [kind = '', name = ''] = text.split('/')
  const [ofKind, ofName] = [namePattern(kind)!, namePattern(name)!]
  return ({ workload }) => workload !== undefined && ofKind.test(workload.kind) && ofName.test(workload.name)
}
