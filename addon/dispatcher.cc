#include "dispatcher.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>

namespace podweir {
namespace {

constexpr bpf_insn Move(uint8_t to, uint8_t from) { return {BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0}; }
constexpr bpf_insn Set(uint8_t to, int32_t value) { return {BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value}; }
constexpr bpf_insn Add(uint8_t to, int32_t value) { return {BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value}; }
constexpr bpf_insn Call(int32_t helper) { return {BPF_JMP | BPF_CALL, 0, 0, 0, helper}; }
constexpr bpf_insn Store32(uint8_t to, int16_t offset, int32_t value) {
  return {BPF_ST | BPF_MEM | BPF_W, to, 0, offset, value};
}
constexpr bpf_insn AtomicAdd64(uint8_t to, int16_t offset, uint8_t from) {
  return {BPF_STX | BPF_ATOMIC | BPF_DW, to, from, offset, BPF_ADD};
}
constexpr bpf_insn Load(uint8_t size, uint8_t to, uint8_t from, int16_t offset) {
  return {static_cast<uint8_t>(BPF_LDX | BPF_MEM | size), to, from, offset, 0};
}
constexpr bpf_insn SkipIfEqual(uint8_t what, int32_t value, int16_t instructions) {
  return {BPF_JMP | BPF_JEQ | BPF_K, what, 0, instructions, value};
}
constexpr bpf_insn SkipIfOther(uint8_t what, int32_t value, int16_t instructions) {
  return {BPF_JMP | BPF_JNE | BPF_K, what, 0, instructions, value};
}
constexpr bpf_insn SkipIfGreater(uint8_t what, uint8_t limit, int16_t instructions) {
  return {BPF_JMP | BPF_JGT | BPF_X, what, limit, instructions, 0};
}
constexpr bpf_insn Skip(int16_t instructions) { return {BPF_JMP | BPF_JA, 0, 0, instructions, 0}; }
constexpr bpf_insn Exit() { return {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}; }
// A map's address takes two instructions.
constexpr bpf_insn MapLow(uint8_t to, int fd) { return {BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, fd}; }
constexpr bpf_insn MapHigh() { return {}; }

constexpr uint8_t kStack = BPF_REG_10;

}  // namespace

std::string DispatcherName(uint32_t interface_slot, flow_direction direction) {
  char name[BPF_OBJ_NAME_LEN];
  snprintf(name, sizeof(name), "%s%s_%03x", kDispatcherPrefix, direction == FROM_POD ? "out" : "in",
           interface_slot & 0xfff);
  return name;
}

Result<Fd> LoadDispatcher(const DispatcherMaps& maps, uint32_t interface_slot, flow_direction direction) {
  const bpf_insn instructions[] = {
      Move(BPF_REG_6, BPF_REG_1),
      Store32(kStack, -4, 0),
      Move(BPF_REG_2, kStack),
      Add(BPF_REG_2, -4),
      MapLow(BPF_REG_1, maps.scratch),
      MapHigh(),
      Call(BPF_FUNC_map_lookup_elem),
      SkipIfEqual(BPF_REG_0, 0, 23),
      Store32(BPF_REG_0, offsetof(cpu_scratch, interface_slot), static_cast<int32_t>(interface_slot)),
      Move(BPF_REG_7, BPF_REG_0),
      Move(BPF_REG_1, BPF_REG_6),
      MapLow(BPF_REG_2, maps.programs),
      MapHigh(),
      Load(BPF_W, BPF_REG_4, BPF_REG_6, offsetof(__sk_buff, data)),
      Load(BPF_W, BPF_REG_5, BPF_REG_6, offsetof(__sk_buff, data_end)),
      Move(BPF_REG_3, BPF_REG_4),
      Add(BPF_REG_3, ETH_HLEN),
      SkipIfGreater(BPF_REG_3, BPF_REG_5, 9),
      Load(BPF_H, BPF_REG_4, BPF_REG_4, offsetof(ethhdr, h_proto)),
      // The kernel makes direct jumps of tail calls whose program is a constant.
      SkipIfEqual(BPF_REG_4, htons(ETH_P_IPV6), 4),
      SkipIfOther(BPF_REG_4, htons(ETH_P_IP), 6),
      Set(BPF_REG_3, PlaceOf(PROGRAM_IPV4, direction)),
      Call(BPF_FUNC_tail_call),
      Skip(5),
      Set(BPF_REG_3, PlaceOf(PROGRAM_IPV6, direction)),
      Call(BPF_FUNC_tail_call),
      Skip(2),
      Set(BPF_REG_3, PlaceOf(PROGRAM_REST, direction)),
      Call(BPF_FUNC_tail_call),
      // Only a failed tail call comes here: the skb goes on uncounted, and that is counted.
      Set(BPF_REG_1, 1),
      AtomicAdd64(BPF_REG_7, offsetof(cpu_scratch, tail_call_failed), BPF_REG_1),
      Set(BPF_REG_0, -1),  // TC_ACT_UNSPEC, TCX_NEXT: not our decision
      Exit(),
  };
  std::string name = DispatcherName(interface_slot, direction);
  Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name.c_str(), "GPL", instructions,
                           sizeof(instructions) / sizeof(instructions[0]), nullptr));
  if (!program.valid()) return Failed("load dispatcher", name, errno);
  return program;
}

}  // namespace podweir
