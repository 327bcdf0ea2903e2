// Attributes of the agent's own resource that come from the environment.
import type { ReadingContext } from './reading-context.ts'

/** `OTEL_SERVICE_NAME` beats `OTEL_RESOURCE_ATTRIBUTES`, which beats the node's name from the pod's environment. */
export function environmentResource({ document, environment, warnings }: ReadingContext): Record<string, string> {
  const nodeName = environment.K8S_NODE_NAME || environment.NODE_NAME
  const note = (attribute: string, variable: string) =>
    document.note(['service', 'telemetry', 'resource', attribute], variable)
  if (nodeName) note('k8s.node.name', environment.K8S_NODE_NAME ? 'K8S_NODE_NAME' : 'NODE_NAME')
  const attributes = parseAttributes(environment.OTEL_RESOURCE_ATTRIBUTES ?? '')
  if (!attributes) {
    warnings.push(
      'OTEL_RESOURCE_ATTRIBUTES: ignored, because it is not key=value,key=value with percent-encoded values',
    )
  }
  for (const attribute of Object.keys(attributes ?? {})) note(attribute, 'OTEL_RESOURCE_ATTRIBUTES')
  const serviceName = environment.OTEL_SERVICE_NAME
  if (serviceName) note('service.name', 'OTEL_SERVICE_NAME')
  return {
    ...(nodeName && { 'k8s.node.name': nodeName }),
    ...attributes,
    ...(serviceName && { 'service.name': serviceName }),
  }
}

/** All or nothing, as OpenTelemetry's specification asks for. */
function parseAttributes(text: string): Record<string, string> | undefined {
  const attributes: Record<string, string> = {}
  for (const pair of text.split(',')) {
    if (pair.trim() === '') continue
    const equals = pair.indexOf('=')
    const key = decoded(pair.slice(0, Math.max(0, equals)))
    const value = decoded(pair.slice(equals + 1))
    if (!key || value === undefined) return undefined
    attributes[key] = value
  }
  return attributes
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.trim())
  } catch {
    return undefined
  }
}
