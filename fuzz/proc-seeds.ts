// Where fuzzing of text begins: folders of processes and namespaces, fdinfo, a verifier's log.

const Subject = { namespaces: 0, fdinfo: 1, refusal: 2 }

const FDINFO = `pos:\t0
flags:\t02000002
mnt_id:\t15
map_type:\t2
key_size:\t4
value_size:\t384
max_entries:\t32768
memlock:\t12582912
map_id:\t31
frozen:\t0
`

const REFUSAL = `libbpf: prog 'flow_from_pod': BPF program load failed: Permission denied
libbpf: prog 'flow_from_pod': -- BEGIN PROG LOAD LOG --
0: R1=ctx(off=0,imm=0) R10=fp0
; int flow_from_pod(struct __sk_buff *skb)
0: (bf) r6 = r1
1: (61) r1 = *(u32 *)(r6 +76)
; data + offset + size <= data_end
invalid access to packet, off=14 size=1, R1(id=0,off=14,r=13)
processed 12 insns (limit 1000000)
-- END PROG LOAD LOG --
libbpf: failed to load object 'flow_bpf'
`

export function procSeeds(): Map<string, Uint8Array> {
  const folders = ['cni-1f2e3d', 'blue', '', '1', '42', 'self', 'thread-self', '31337', 'sys'].join('\n')
  return new Map([
    ['namespaces', about(Subject.namespaces, folders)],
    ['no namespace', about(Subject.namespaces, '\n')],
    ['fdinfo', about(Subject.fdinfo, FDINFO)],
    ['fdinfo with a long line', about(Subject.fdinfo, `x${' '.repeat(300)}\n${FDINFO}`)],
    ['a refusal', about(Subject.refusal, `\x01${REFUSAL}`)],
    ['a long refusal', about(Subject.refusal, `\x1f${REFUSAL.repeat(4)}`)],
    ['a refusal in one line', about(Subject.refusal, '\x01libbpf: failed')],
    ['a refusal without words', about(Subject.refusal, '\x01\n\n')],
  ])
}

function about(subject: number, text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(subject), Buffer.from(text)])
}
