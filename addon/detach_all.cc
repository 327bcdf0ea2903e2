#include "detach_all.h"

#include <unistd.h>

#include <cerrno>

#include "pins.h"

namespace podweir {

Result<Detached> DetachAll(const std::string& root, bool purge) {
  Detached detached;
  // Opening would make it.
  if (!root.empty() && !access(root.c_str(), F_OK)) {
    Result<std::unique_ptr<Pins>> pins = Pins::Open(root);
    if (!pins.ok()) return pins.status;
    for (const std::string& name : (*pins)->ListAll()) (name.starts_with("link_") ? detached.links : detached.maps)++;
    (*pins)->RemoveAll(true);
  }
  NamespaceThread namespaces;
  detached.swept = SweepFilters(namespaces, {}, purge);
  return detached;
}

}  // namespace podweir
