// Where programs hang on a device, and whether one hangs there still.
#ifndef PODWEIR_CHAIN_H
#define PODWEIR_CHAIN_H

#include <bpf/libbpf.h>

#include <cstdint>

namespace podweir {

// One end of a clsact of a device in the calling thread's namespace.
bpf_tc_hook HookOf(int index, bool egress);

// Of the filter that has this handle at this priority, 0 when there is none.
uint32_t ProgramAt(bpf_tc_hook& hook, uint32_t handle, uint32_t priority);

// The kernel's number of a program that we hold, 0 when it does not tell.
uint32_t ProgramId(int program);

// A tcx link has a device as long as its program is in that device's chain: it is 0 when the device is gone, and also
// when somebody has detached the link. So nobody has to look at the chain itself, in the device's namespace.
bool LinkInPlace(int link);

// The filter there is this program's. In the calling thread's namespace.
bool FilterInPlace(bpf_tc_hook hook, uint32_t handle, uint32_t priority, int program);

}  // namespace podweir

#endif
