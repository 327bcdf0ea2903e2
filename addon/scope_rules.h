// What is in scope, handed to the kernel programs: rules for addresses and ports before loading, interfaces at any
// time.
#ifndef PODWEIR_SCOPE_RULES_H
#define PODWEIR_SCOPE_RULES_H

#include <cstdint>
#include <vector>

#include "scope.h"
#include "status.h"

struct flow_bpf;

namespace podweir {

// Of remote addresses, which the longest block that they are in decides.
struct ScopeBlock {
  bool ipv6 = false;
  uint32_t prefix_length = 0;
  uint8_t address[16] = {};  // IPv4 in the first 4
  bool included = false;
};

struct ScopeOptions {
  bool interfaces = false;  // one may be taken out of scope
  std::vector<ScopeBlock> blocks;
  std::vector<uint8_t> ports;  // a byte a port as scope.h has it, or empty
};

// Between opening and loading.
void DeclareScope(const ScopeOptions& scope, flow_bpf& skeleton);
// Before the first packet is counted.
Status FillScope(const ScopeOptions& scope, const flow_bpf& skeleton);
// Of flows that start from now on.
Status SetOutOfScope(const flow_bpf& skeleton, uint32_t interface_slot, bool out);

}  // namespace podweir

#endif
