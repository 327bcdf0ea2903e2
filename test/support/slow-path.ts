// A TCP path to a server whose words take a time: node slow-path.ts PORT TARGET_HOST TARGET_PORT DELAY_MS, until it is killed.
import { connect, createServer } from 'node:net'

const [port, host, targetPort, delayMs] = process.argv.slice(2)

const server = createServer(near => {
  const far = connect(Number(targetPort), host!)
  near.on('data', data => far.write(data))
  far.on('data', data => setTimeout(() => near.write(data), Number(delayMs)))
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    from.on('error', () => {})
    from.on('close', () => to.destroy())
  }
})
server.listen(Number(port), '127.0.0.1', () => console.log('ready'))
