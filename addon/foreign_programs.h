// Programs and queueing disciplines of others at the devices of a namespace.
#ifndef PODWEIR_FOREIGN_PROGRAMS_H
#define PODWEIR_FOREIGN_PROGRAMS_H

#include <string>
#include <vector>

#include "status.h"

namespace podweir {

struct ProgramAt {
  std::string device;
  std::string hook;  // `tcx ingress`, `tcx egress`, `filter ingress`, `filter egress`, `qdisc`, `xdp`
  std::string name;  // of the program or kind of the filter, empty where the kernel does not tell
  bool ours = false;
};

// Of the calling thread's namespace. tcx takes CAP_NET_ADMIN to ask, and names of its programs CAP_SYS_ADMIN.
Result<std::vector<ProgramAt>> ListPrograms();

}  // namespace podweir

#endif
