#include "dispatcher.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "dns.h"

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

using Instructions = std::vector<bpf_insn>;

int16_t Length(const Instructions& instructions) { return static_cast<int16_t>(instructions.size()); }

// Behind it R2 is `maps.programs` again. `port_offset`: where plain packets have the remote port, from the frame's
// start; what it is taken for there, and what is not in the linear part, is for the tap to look at.
Instructions WayThroughTap(const DispatcherMaps& maps, shared_program program, flow_direction direction,
                           int port_offset) {
  if (maps.tap < 0) return {};
  return {
      Move(BPF_REG_3, BPF_REG_4),
      Add(BPF_REG_3, port_offset + 2),
      SkipIfGreater(BPF_REG_3, BPF_REG_5, 2),
      Load(BPF_H, BPF_REG_3, BPF_REG_4, static_cast<int16_t>(port_offset)),
      SkipIfOther(BPF_REG_3, htons(DNS_PORT), 7),
      MapLow(BPF_REG_2, maps.tap),
      MapHigh(),
      Set(BPF_REG_3, PlaceOf(program, direction)),
      Call(BPF_FUNC_tail_call),
      // Whoever read what the tap tells is gone.
      Move(BPF_REG_1, BPF_REG_6),
      MapLow(BPF_REG_2, maps.programs),
      MapHigh(),
  };
}

int PortOffset(int header_bytes, flow_direction direction) {
  return ETH_HLEN + header_bytes + (direction == FROM_POD ? offsetof(udphdr, dest) : offsetof(udphdr, source));
}

// The kernel makes direct jumps of tail calls whose program is a constant.
void AppendCall(Instructions& to, shared_program program, flow_direction direction) {
  to.push_back(Set(BPF_REG_3, PlaceOf(program, direction)));
  to.push_back(Call(BPF_FUNC_tail_call));
}

Instructions DispatcherOf(const DispatcherMaps& maps, uint32_t interface_slot, flow_direction direction) {
  Instructions ipv4 = WayThroughTap(maps, PROGRAM_IPV4, direction, PortOffset(sizeof(iphdr), direction));
  Instructions ipv6 = WayThroughTap(maps, PROGRAM_IPV6, direction, PortOffset(sizeof(ipv6hdr), direction));
  Instructions rest;
  AppendCall(ipv4, PROGRAM_IPV4, direction);
  AppendCall(ipv6, PROGRAM_IPV6, direction);
  AppendCall(rest, PROGRAM_REST, direction);
  // Only a failed tail call comes to the end: the skb goes on uncounted, and that is counted.
  ipv6.push_back(Skip(Length(rest)));
  ipv4.push_back(Skip(Length(ipv6) + Length(rest)));
  const Instructions by_type = {
      Load(BPF_H, BPF_REG_0, BPF_REG_4, offsetof(ethhdr, h_proto)),
      SkipIfEqual(BPF_REG_0, htons(ETH_P_IPV6), Length(ipv4) + 1),
      SkipIfOther(BPF_REG_0, htons(ETH_P_IP), Length(ipv4) + Length(ipv6)),
  };
  const Instructions choose = {
      Store32(BPF_REG_0, offsetof(cpu_scratch, interface_slot), static_cast<int32_t>(interface_slot)),
      Move(BPF_REG_7, BPF_REG_0),
      Move(BPF_REG_1, BPF_REG_6),
      MapLow(BPF_REG_2, maps.programs),
      MapHigh(),
      Load(BPF_W, BPF_REG_4, BPF_REG_6, offsetof(__sk_buff, data)),
      Load(BPF_W, BPF_REG_5, BPF_REG_6, offsetof(__sk_buff, data_end)),
      Move(BPF_REG_3, BPF_REG_4),
      Add(BPF_REG_3, ETH_HLEN),
      SkipIfGreater(BPF_REG_3, BPF_REG_5, Length(by_type) + Length(ipv4) + Length(ipv6)),
  };
  const Instructions failed = {
      Set(BPF_REG_1, 1),
      AtomicAdd64(BPF_REG_7, offsetof(cpu_scratch, tail_call_failed), BPF_REG_1),
  };
  int all = Length(choose) + Length(by_type) + Length(ipv4) + Length(ipv6) + Length(rest) + Length(failed);
  const Instructions begin = {
      Move(BPF_REG_6, BPF_REG_1),      Store32(kStack, -4, 0),
      Move(BPF_REG_2, kStack),         Add(BPF_REG_2, -4),
      MapLow(BPF_REG_1, maps.scratch), MapHigh(),
      Call(BPF_FUNC_map_lookup_elem),  SkipIfEqual(BPF_REG_0, 0, static_cast<int16_t>(all)),
  };
  const Instructions end = {
      Set(BPF_REG_0, -1),  // TC_ACT_UNSPEC, TCX_NEXT: not our decision
      Exit(),
  };
  Instructions program;
  for (const Instructions& part : {begin, choose, by_type, ipv4, ipv6, rest, failed, end})
    program.insert(program.end(), part.begin(), part.end());
  return program;
}

}  // namespace

std::string DispatcherName(uint32_t interface_slot, flow_direction direction) {
  char name[BPF_OBJ_NAME_LEN];
  snprintf(name, sizeof(name), "%s%s_%03x", kDispatcherPrefix, direction == FROM_POD ? "out" : "in",
           interface_slot & 0xfff);
  return name;
}

Result<Fd> LoadDispatcher(const DispatcherMaps& maps, uint32_t interface_slot, flow_direction direction) {
  const Instructions instructions = DispatcherOf(maps, interface_slot, direction);
  std::string name = DispatcherName(interface_slot, direction);
  Fd program(
      bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name.c_str(), "GPL", instructions.data(), instructions.size(), nullptr));
  if (!program.valid()) return Failed("load dispatcher", name, errno);
  return program;
}

}  // namespace podweir
