// Plays the kubelet for the Job that the chart runs before it is uninstalled, where there is no node: its program, with its
// parameters and the rights of its service account, beside the API server.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ControlPlane } from './kubernetes.ts'
import { until } from './until.ts'

export interface Outcome {
  readonly code: number
  readonly said: string
}

interface JobPod {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly serviceAccountName: string; readonly containers: readonly { readonly args: string[] }[] }
}

export async function runTakeOffJob(plane: ControlPlane, namespace: string): Promise<Outcome> {
  const find = async () => {
    const list = await plane.kubectl(
      '-n',
      namespace,
      'get',
      'pods',
      '-o',
      'json',
      '-l',
      'app.kubernetes.io/component=take-off',
    )
    return (JSON.parse(list).items as JobPod[])[0]
  }
  await until('the Job has a pod', async () => (await find()) !== undefined, { limitMs: 30_000 })
  const { metadata, spec } = (await find())!
  const outcome = await runProgram(plane, namespace, spec.serviceAccountName, spec.containers[0]!.args)
  const phase = outcome.code === 0 ? 'Succeeded' : 'Failed'
  await plane.writeStatus(`${namespace}/${metadata.name}`, { phase })
  return outcome
}

/** `name`: of the ServiceAccount and the ConfigMap. */
export async function runProgram(
  plane: ControlPlane,
  namespace: string,
  name: string,
  args: string[],
): Promise<Outcome> {
  const folder = join(plane.folder, `take-off-${namespace}`)
  mkdirSync(folder, { recursive: true })
  const { data } = JSON.parse(await plane.kubectl('-n', namespace, 'get', 'configmap', name, '-o', 'json'))
  for (const [file, text] of Object.entries(data)) writeFileSync(join(folder, file), String(text))
  writeFileSync(join(folder, 'ca.crt'), plane.ca)
  writeFileSync(join(folder, 'token'), await plane.kubectl('-n', namespace, 'create', 'token', name))
  const here = args.map(each => each.replace('/program/', `${folder}/`))
  const program = [join(folder, 'take-off.ts'), ...here, `--server=${plane.server}`, `--credentials=${folder}`]
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, program)
    return { code: 0, said: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, said: stdout + stderr }
  }
}
