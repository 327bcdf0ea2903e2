// Which capabilities this process lacks: a refusal by the kernel does not say.
#ifndef PODWEIR_CAPABILITIES_H
#define PODWEIR_CAPABILITIES_H

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace podweir {

struct Capability {
  int number;
  const char* name;
};

constexpr Capability kNetAdmin{CAP_NET_ADMIN, "CAP_NET_ADMIN"};
constexpr Capability kSysAdmin{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"};
constexpr Capability kPerfmon{CAP_PERFMON, "CAP_PERFMON"};
constexpr Capability kBpf{CAP_BPF, "CAP_BPF"};

// Effective ones, a bit each; all of them where the kernel does not tell.
inline uint64_t HeldCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data)) return UINT64_MAX;
  return data[0].effective | uint64_t{data[1].effective} << 32;
}

// `missing: CAP_BPF, CAP_NET_ADMIN`, empty when nothing of it is.
template <typename... Wanted>
std::string MissingCapabilities(const Wanted&... wanted) {
  uint64_t held = HeldCapabilities();
  std::string missing;
  for (const Capability& each : {wanted...})
    if (!(held >> each.number & 1)) missing += (missing.empty() ? "missing: " : ", ") + std::string(each.name);
  return missing;
}

}  // namespace podweir

#endif
