// From a cgroup's id, as sockets have it, to its path: by the tree of cgroup v2, where that can be seen.
#ifndef PODWEIR_CGROUP_PATHS_H
#define PODWEIR_CGROUP_PATHS_H

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace podweir {

class CgroupPaths {
 public:
  // Empty: it is gone, or out of sight. Looks at the whole tree when the id is new.
  std::string PathOf(uint64_t id);

 private:
  void Look();

  std::unordered_map<uint64_t, std::string> paths_;
  // Looked for in vain: a cgroup is there before its sockets are, and never comes back.
  std::unordered_set<uint64_t> gone_;
};

// Where the tree is mounted, with cgroup v1 beside it too; empty: nowhere.
std::string CgroupTree();

}  // namespace podweir

#endif
