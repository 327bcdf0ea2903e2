// What of BPF is in the kernel, and what hangs at a device, asked without the product's own books.
#ifndef PODWEIR_KERNELS_KERNEL_STATE_H
#define PODWEIR_KERNELS_KERNEL_STATE_H

#include <functional>
#include <string>

#include "namespace.h"

namespace podweir {

struct BpfObjects {
  int programs = 0, maps = 0, links = 0;
  int dispatchers = 0;  // programs named as ours

  bool operator==(const BpfObjects&) const = default;
};

BpfObjects CountBpfObjects();

struct Hooked {
  std::string qdisc;  // clsact, or none
  int filters = 0;
  int tcx_programs = 0;
};

Hooked WhatIsHooked(NamespaceThread& namespaces, const std::string& netns, const std::string& device);

// The kernel frees after a grace period. Asks until it holds or patience ends.
bool Becomes(const std::function<bool()>& holds);

}  // namespace podweir

#endif
