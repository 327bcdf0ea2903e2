// The settings, and whether somebody listens where their exporters send.
import { accessSync, constants } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { destinationText, dialledEndpoints } from '../config/destination.ts'
import type { ExporterConfig } from '../config/exporters.ts'
import { signalsOf } from '../config/outlets.ts'
import { type Finding, fail, ok, skip } from './finding.ts'

const CONNECT_LIMIT_MS = 3_000
const CODE = 'PW-142'

export async function checkExporters(config: Config): Promise<Finding[]> {
  const found = await Promise.all(config.exporters.map(exporter => checkExporter(exporter, config)))
  return found.flat()
}

async function checkExporter(exporter: ExporterConfig, config: Config): Promise<Finding[]> {
  if (exporter.type === 'debug') return [ok(CODE, `${exporter.id} writes to stdout`)]
  if (exporter.type === 'file') return [checkFile(exporter)]
  const signals = signalsOf(config, exporter.id)
  const endpoints = dialledEndpoints(exporter, signals)
  if (endpoints.length === 0)
    return [skip(CODE, `${exporter.id}: ${destinationText(exporter, signals)}`, 'nobody there says whether data came')]
  return Promise.all(endpoints.map(endpoint => checkEndpoint(exporter.id, endpoint)))
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

async function checkEndpoint(id: string, endpoint: string): Promise<Finding> {
  const { hostname, port, protocol } = new URL(/^https?:/.test(endpoint) ? endpoint : `tcp://${endpoint}`)
  const usual = protocol === 'https:' ? 443 : 80
  const host = hostname.replace(/^\[|\]$/g, '')
  const address = `${hostname}:${port || usual}`
  const error = await dial(host, Number(port || usual))
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
