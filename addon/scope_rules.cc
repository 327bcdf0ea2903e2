#include "scope_rules.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "flow.skel.h"

namespace podweir {
namespace {

uint32_t RulesOf(const ScopeOptions& scope) {
  uint32_t rules = scope.interfaces ? SCOPE_INTERFACES : 0;
  for (const ScopeBlock& block : scope.blocks) rules |= SCOPE_BLOCKS | (block.included ? SCOPE_BLOCKS_INCLUDED : 0);
  for (uint8_t port : scope.ports)
    if (port) rules |= SCOPE_PORTS | (port & (PORT_EXCLUDED - 1) ? SCOPE_PORTS_INCLUDED : 0);
  return rules;
}

int AddBlock(const flow_bpf& skeleton, const ScopeBlock& block) {
  uint32_t verdict = block.included ? BLOCK_INCLUDED : BLOCK_EXCLUDED;
  if (block.ipv6) {
    scope_block6 key{block.prefix_length, {}};
    memcpy(key.address, block.address, sizeof(key.address));
    return bpf_map_update_elem(bpf_map__fd(skeleton.maps.scope_blocks6), &key, &verdict, BPF_ANY);
  }
  scope_block4 key{block.prefix_length, 0};
  memcpy(&key.address, block.address, sizeof(key.address));
  return bpf_map_update_elem(bpf_map__fd(skeleton.maps.scope_blocks4), &key, &verdict, BPF_ANY);
}

}  // namespace

void DeclareScope(const ScopeOptions& scope, flow_bpf& skeleton) {
  const uint32_t rules = RulesOf(scope);
  const auto& maps = skeleton.maps;
  skeleton.rodata->scope_rules = rules;
  // What no rule needs is not made: the verifier never gets to the code that would look into it.
  bpf_map__set_autocreate(maps.scope_interfaces, rules & SCOPE_INTERFACES);
  bpf_map__set_autocreate(maps.scope_blocks4, rules & SCOPE_BLOCKS);
  bpf_map__set_autocreate(maps.scope_blocks6, rules & SCOPE_BLOCKS);
  bpf_map__set_autocreate(maps.scope_ports, rules & SCOPE_PORTS);
}

Status FillScope(const ScopeOptions& scope, const flow_bpf& skeleton) {
  for (const ScopeBlock& block : scope.blocks)
    if (AddBlock(skeleton, block)) return Failed("fill", block.ipv6 ? "scope_blocks6" : "scope_blocks4", errno);
  int ports = bpf_map__fd(skeleton.maps.scope_ports);
  for (uint32_t word = 0; (word + 1) * PORTS_PER_WORD <= scope.ports.size(); word++) {
    uint64_t rules;
    memcpy(&rules, &scope.ports[word * PORTS_PER_WORD], sizeof(rules));
    if (rules && bpf_map_update_elem(ports, &word, &rules, BPF_ANY)) return Failed("fill", "scope_ports", errno);
  }
  return Status{};
}

Status SetOutOfScope(const flow_bpf& skeleton, uint32_t interface_slot, bool out) {
  if (!(skeleton.rodata->scope_rules & SCOPE_INTERFACES)) return Status{};
  uint32_t value = out;
  if (!bpf_map_update_elem(bpf_map__fd(skeleton.maps.scope_interfaces), &interface_slot, &value, BPF_ANY))
    return Status{};
  return Failed("set the scope of", "interface " + std::to_string(interface_slot), errno);
}

}  // namespace podweir
