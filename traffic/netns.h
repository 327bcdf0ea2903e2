// Network namespaces by the names that `ip netns` gives them.
#ifndef PODWEIR_TRAFFIC_NETNS_H
#define PODWEIR_TRAFFIC_NETNS_H

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <string>

#include "../addon/handle.h"
#include "failure.h"

namespace traffic {

// `name` is a path, or a name under /run/netns.
inline void EnterNetns(const std::string& name) {
  const std::string path = name.starts_with("/") ? name : "/run/netns/" + name;
  const podweir::Fd netns(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!netns.valid() || setns(netns.get(), CLONE_NEWNET)) Fail("enter", path, errno);
}

}  // namespace traffic

#endif
