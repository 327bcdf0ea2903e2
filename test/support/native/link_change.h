// How long a change of a device takes: RTM_NEWLINK waits for RTNL.
#ifndef PODWEIR_LINK_CHANGE_H
#define PODWEIR_LINK_CHANGE_H

#include <cstdint>
#include <string>

#include "status.h"

namespace podweir {

// Sets the length of the device's queue, in the process's own namespace. Nanoseconds until the kernel has answered.
Result<int64_t> TimeLinkChange(const std::string& device, uint32_t queue_length);

}  // namespace podweir

#endif
