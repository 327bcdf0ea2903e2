// An OCI seccomp profile as the instructions that a container runtime makes of it, for the machine that the test runs on.
import { readFileSync } from 'node:fs'
import { arch } from 'node:process'

interface Argument {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ'
}

interface Rule {
  readonly names: readonly string[]
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO'
  readonly errnoRet?: number
  readonly args?: readonly Argument[]
}

export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO'
  readonly defaultErrnoRet: number
  readonly architectures: readonly string[]
  readonly syscalls: readonly Rule[]
}

const MACHINES = {
  x64: { header: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h', audit: 0xc000003e, name: 'SCMP_ARCH_X86_64' },
  arm64: { header: '/usr/include/asm-generic/unistd.h', audit: 0xc00000b7, name: 'SCMP_ARCH_AARCH64' },
} as const

// linux/filter.h and linux/seccomp.h.
const LOAD = 0x20
const AND = 0x54
const RETURN = 0x06
const JUMP_IF_EQUAL = 0x15
const ALLOW = 0x7fff0000
const ERRNO = 0x00050000
const NUMBER_OFFSET = 0
const MACHINE_OFFSET = 4
const ARGUMENTS_OFFSET = 16

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number]

/** sock_filter instructions. Throws for what this machine's profile does not name. */
export function seccompFilter(profile: SeccompProfile): Buffer {
  const machine = MACHINES[arch as keyof typeof MACHINES]
  if (!profile.architectures.includes(machine.name)) throw new Error(`the profile does not name ${machine.name}`)
  const numbers = systemCalls()
  const refuse = ERRNO | profile.defaultErrnoRet
  const rules = profile.syscalls.flatMap(rule =>
    // Names that this machine does not have are for others.
    rule.names.flatMap(name => (numbers.has(name) ? instructionsOf(rule, numbers.get(name)!) : [])),
  )
  const checked: Instruction[] = [
    [LOAD, 0, 0, MACHINE_OFFSET],
    [JUMP_IF_EQUAL, 1, 0, machine.audit],
    [RETURN, 0, 0, refuse],
  ]
  return encode([...checked, ...rules, [RETURN, 0, 0, refuse]])
}

/** Goes on behind itself when the call or an argument is another. Arguments are below 2^32. */
function instructionsOf(rule: Rule, number: number): Instruction[] {
  const tests = (rule.args ?? []).flatMap(argumentTests)
  const answer = rule.action === 'SCMP_ACT_ALLOW' ? ALLOW : ERRNO | (rule.errnoRet ?? 1)
  const instructions: Instruction[] = [
    [LOAD, 0, 0, NUMBER_OFFSET],
    [JUMP_IF_EQUAL, 0, 0, number],
    ...tests,
    [RETURN, 0, 0, answer],
  ]
  return instructions.map(([code, , , value], i) => {
    const leave = instructions.length - i - 1
    return code === JUMP_IF_EQUAL ? [code, 0, leave, value] : [code, 0, 0, value]
  })
}

function argumentTests({ index, value, valueTwo = 0, op }: Argument): Instruction[] {
  const load: Instruction = [LOAD, 0, 0, ARGUMENTS_OFFSET + 8 * index]
  if (op === 'SCMP_CMP_EQ') return [load, [JUMP_IF_EQUAL, 0, 0, value]]
  return [load, [AND, 0, 0, value], [JUMP_IF_EQUAL, 0, 0, valueTwo]]
}

function encode(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(8 * instructions.length)
  instructions.forEach(([code, ifTrue, ifFalse, value], i) => {
    bytes.writeUInt16LE(code, 8 * i)
    bytes.writeUInt8(ifTrue, 8 * i + 2)
    bytes.writeUInt8(ifFalse, 8 * i + 3)
    bytes.writeUInt32LE(value >>> 0, 8 * i + 4)
  })
  return bytes
}

/** Numbers of this machine's, by name. */
export function systemCalls(): Map<string, number> {
  const { header } = MACHINES[arch as keyof typeof MACHINES]
  const lines = readFileSync(header, 'utf8').matchAll(/^#define __NR(?:3264)?_(\w+) (\d+)$/gm)
  return new Map([...lines].map(([, name, number]) => [name!, Number(number)]))
}
