// An image as one file, which `ctr images import`, `docker load` and `podman load` take: OCI layout and docker's manifest.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { command } from '../command.ts'

export interface ImageConfig {
  readonly architecture: string
  /** ISO 8601. */
  readonly created: string
  readonly config: Readonly<Record<string, unknown>>
}

export interface Archive {
  readonly path: string
  /** Of the manifest: what a registry knows the image by. */
  readonly digest: string
  /** Of all layers, unpacked and as they are sent. */
  readonly bytes: number
  readonly sentBytes: number
}

/** Whoever builds, and whenever: the same files give the same bytes. */
const SAME = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--format=gnu']
const MODES = '--mode=u=rwX,go=rX'
const GZIP_LEVEL = 9

export function writeArchive(path: string, name: string, layers: readonly string[], image: ImageConfig): Archive {
  const folder = `${path}.d`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true })
  const blob = (bytes: Uint8Array, mediaType: string) => {
    const digest = sha256(bytes)
    writeFileSync(join(folder, 'blobs/sha256', digest), bytes)
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length }
  }
  const unpacked = layers.map(layer => tarOf(layer))
  const packed = unpacked.map(tar =>
    blob(gzipSync(tar, { level: GZIP_LEVEL }), 'application/vnd.oci.image.layer.v1.tar+gzip'),
  )
  const rootfs = { type: 'layers', diff_ids: unpacked.map(tar => `sha256:${sha256(tar)}`) }
  const history = layers.map(() => ({ created: image.created, created_by: 'deploy/image/build' }))
  const config = blob(json({ ...image, os: 'linux', rootfs, history }), 'application/vnd.oci.image.config.v1+json')
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = blob(json({ schemaVersion: 2, mediaType: type, config, layers: packed }), type)
  writeIndex(folder, name, manifest, image.architecture)
  const paths = packed.map(({ digest }) => pathOf(digest))
  writeFileSync(
    join(folder, 'manifest.json'),
    json([{ Config: pathOf(config.digest), RepoTags: [name], Layers: paths }]),
  )
  command('tar', ['-C', folder, ...SAME, MODES, '-cf', path, '.'])
  rmSync(folder, { recursive: true })
  const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0)
  return {
    ...{ path, digest: manifest.digest, bytes: sum(unpacked.map(tar => tar.length)) },
    sentBytes: sum(packed.map(({ size }) => size)),
  }
}

function writeIndex(folder: string, name: string, manifest: object, architecture: string): void {
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':').at(-1) }
  const described = { ...manifest, platform: { architecture, os: 'linux' }, annotations }
  const mediaType = 'application/vnd.oci.image.index.v1+json'
  writeFileSync(join(folder, 'index.json'), json({ schemaVersion: 2, mediaType, manifests: [described] }))
  writeFileSync(join(folder, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
}

function tarOf(folder: string): Buffer {
  const path = `${folder}.tar`
  command('tar', ['-C', folder, ...SAME, MODES, '-cf', path, '.'])
  const bytes = readFileSync(path)
  rmSync(path)
  return bytes
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function pathOf(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
