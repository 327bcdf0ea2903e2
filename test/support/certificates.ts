// Certificates of authorities that tests make, as PEM files.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

export class Authority {
  readonly certFile: string
  readonly #keyFile: string
  readonly #folder: string
  #issued = 0

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.certFile = join(folder, `${name}.pem`)
    this.#keyFile = join(folder, `${name}-key.pem`)
    openssl(
      ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
      ...['-subj', `/CN=${name}`, '-keyout', this.#keyFile, '-out', this.certFile],
    )
  }

  /** For a server of that name, or a client. `days` from now on; below 0 it has expired. */
  issue(name: string, days = 2): CertificateFiles {
    const base = join(this.#folder, `${name}-${++this.#issued}`)
    const [request, certFile, keyFile] = [`${base}.csr`, `${base}.pem`, `${base}-key.pem`]
    openssl(
      ...['req', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=DNS:${name}`, '-keyout', keyFile, '-out', request],
    )
    openssl(
      ...['x509', '-req', '-in', request, '-CA', this.certFile, '-CAkey', this.#keyFile, '-CAcreateserial'],
      ...['-copy_extensions', 'copy', '-days', String(days), '-out', certFile],
    )
    return { certFile, keyFile }
  }
}

/** As whoever renews certificates does it: the new file takes the place of the old one at once. */
export function replaceFile(file: string, by: string): void {
  copyFileSync(by, `${file}.new`)
  renameSync(`${file}.new`, file)
}

export function pem(file: string): Buffer {
  return readFileSync(file)
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' })
}
