// Opens a spool and keeps it until it is killed.
import { RequestSpool } from '../../lib/export/request-spool.ts'
import { createLog } from '../../lib/host/log.ts'

const directory = process.argv[2]!
await RequestSpool.open({ id: 'file_storage', directory, maxBytes: 1_000_000, fsync: 'never' }, createLog('silent'))
process.stdout.write('held\n')
setInterval(() => {}, 1000)
