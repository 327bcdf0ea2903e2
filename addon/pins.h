// A directory of a BPF file system: what is pinned there outlives the process. One agent at a time has it.
#ifndef PODWEIR_PINS_H
#define PODWEIR_PINS_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "status.h"

namespace podweir {

class Pins {
 public:
  // Makes the directory `root` and, in it, one for this version's layouts. EOPNOTSUPP: there is no BPF file system;
  // EBUSY: another process has it, which the detail names.
  static Result<std::unique_ptr<Pins>> Open(const std::string& root);

  // Not valid when there is none.
  Fd Get(const std::string& name) const;
  // In the place of what had the name.
  Status Put(const std::string& name, int fd) const;
  void Remove(const std::string& name) const;
  // What this version has pinned.
  std::vector<std::string> List() const;
  // What any version has.
  std::vector<std::string> ListAll() const;
  // Everything of this version; with `others` that of every other version too. Links that nobody holds detach.
  void RemoveAll(bool others) const;
  const std::string& path() const { return path_; }

 private:
  Pins(std::string root, Fd lock);

  const std::string root_, path_;
  const Fd lock_;
};

// Of a map, 0 when it is none.
uint32_t EntriesOf(const Fd& map);

}  // namespace podweir

#endif
