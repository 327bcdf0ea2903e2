// The optional module "drops": its program and maps loaded, interfaces watched, counts of dropped packets read.
#ifndef PODWEIR_DROPS_H
#define PODWEIR_DROPS_H

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "attach.h"
#include "drop.h"
#include "drop_reasons.h"
#include "handle.h"
#include "namespace.h"
#include "status.h"

struct drops_bpf;

namespace podweir {

struct DropCount {
  uint32_t watch = 0;  // an interface's, or enum drop_watch
  std::string reason;
  uint64_t packets = 0;  // since the watch began
};

struct DropReading {
  std::vector<DropCount> counts;
  uint64_t uncounted = 0;  // no room for the counter, or the program was interrupted by another drop
};

class Drops {
 public:
  // `as_before_6_11`: leaves out what newer kernels say, so that the way of older ones can be tried on any.
  static Result<std::unique_ptr<Drops>> Load(bool as_before_6_11);
  ~Drops();
  Drops(const Drops&) = delete;
  Drops& operator=(const Drops&) = delete;

  // The interface as it was attached to. From now on drops at both of its ends, and in the pod's own stack, are its
  // own.
  Result<uint32_t> Watch(const AttachRequest& interface);
  // Its drops are nobody's again. The next reading still has what was counted, and is the last to have it.
  Status Unwatch(uint32_t watch);
  Result<DropReading> Read();

  const DropReasons& reasons() const { return reasons_; }

 private:
  // Namespace inode and interface index.
  using DropPlace = std::pair<uint32_t, uint32_t>;
  // Who comes first has a place that several claim: its own end, the other end of its pair, its namespace.
  struct Claims {
    std::vector<DropPlace> own, other, anywhere;
  };

  Drops() = default;

  Status Open(bool as_before_6_11);
  Status ClaimFor(const AttachRequest& interface, Claims& claims);
  void ClaimOther(const Link& link, const AttachRequest& interface, Claims& claims);
  Status FillPlaces();

  drops_bpf* skeleton_ = nullptr;
  Fd link_;
  DropReasons reasons_;
  NamespaceThread namespaces_;
  uint32_t next_watch_ = DROP_WATCHES;
  std::map<uint32_t, Claims> watched_;
  std::map<DropPlace, uint32_t> places_;  // what the kernel's map has
};

}  // namespace podweir

#endif
