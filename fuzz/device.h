// One Ethernet device as the kernel describes it over netlink, for the addon to attach to: nothing moves its counters.
#ifndef PODWEIR_FUZZ_DEVICE_H
#define PODWEIR_FUZZ_DEVICE_H

namespace podweir {

constexpr char kDevice[] = "eth0";

}  // namespace podweir

#endif
