// The settings, and whether somebody listens where their exporters send.
import { accessSync, constants } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import type { ExporterConfig } from '../config/exporters.ts'
import { parseEndpoint } from '../export/otlp-endpoint.ts'
import { type Finding, fail, ok } from './finding.ts'

const CONNECT_LIMIT_MS = 3_000
const CODE = 'PW-142'

export function checkExporters({ exporters }: Config): Promise<Finding[]> {
  return Promise.all(exporters.map(checkExporter))
}

async function checkExporter(exporter: ExporterConfig): Promise<Finding> {
  if (exporter.type === 'debug') return ok(CODE, `${exporter.id} writes to stdout`)
  return exporter.type === 'file' ? checkFile(exporter) : checkEndpoint(exporter)
}

function checkFile({ id, path }: ExporterConfig & { type: 'file' }): Finding {
  try {
    accessSync(dirname(path), constants.W_OK)
    return ok(CODE, `${id} can write to ${dirname(path)}`)
  } catch (error) {
    const why = `nothing would be exported: ${(error as NodeJS.ErrnoException).code}`
    return fail(CODE, `${id} can’t write to ${dirname(path)}`, why, 'make the folder, owned by who runs the agent')
  }
}

async function checkEndpoint({ id, target, tls }: ExporterConfig & { type: 'otlp_grpc' }): Promise<Finding> {
  const { address } = parseEndpoint(target, tls?.insecure ?? false)
  const cut = address.lastIndexOf(':')
  const error = await dial(address.slice(0, cut).replace(/^\[|\]$/g, ''), Number(address.slice(cut + 1)))
  if (error === undefined) return ok(CODE, `${id}: ${address} takes connections`)
  const why = `nothing would be exported: ${error}; counts stay and go with the first request that is taken`
  return fail(
    CODE,
    `${id}: nobody takes connections at ${address}`,
    why,
    'start the Collector, or correct endpoint, name resolution and firewall',
  )
}

function dial(host: string, port: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const connection = connect({ host, port })
    const settle = (error?: string) => {
      connection.destroy()
      resolve(error)
    }
    connection.setTimeout(CONNECT_LIMIT_MS, () => settle(`no answer in ${CONNECT_LIMIT_MS / 1000} s`))
    connection.on('connect', () => settle())
    connection.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message))
  })
}
