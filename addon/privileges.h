// What this process may do. After the start that is only what its mode needs, on each of its threads.
#ifndef PODWEIR_PRIVILEGES_H
#define PODWEIR_PRIVILEGES_H

#include <cstdint>

#include "status.h"
#include "worker.h"

namespace podweir {

// A bit for each capability.
struct Capabilities {
  uint64_t effective = 0;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
};

// Of the calling thread.
Capabilities ReadCapabilities();

// The calling thread keeps what it has of `keep`, for itself alone: what it starts has none of it. Sets no_new_privs.
// Returns 0 or an errno.
int KeepOnly(uint64_t keep);

// Every thread keeps what it has of `process`, and one more thread, which is made here, of `process` and `entering`:
// the one that enters namespaces. Without CAP_SETPCAP the bounding set stays; no_new_privs makes it harmless. Call it
// once; while it runs nobody may change user or group ids.
Status DropPrivileges(uint64_t process, uint64_t entering);

// The thread that kept more, nullptr before.
Worker* EnteringThread();

}  // namespace podweir

#endif
