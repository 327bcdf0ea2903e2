// Work inside another network namespace, on one thread of its own: setns on a pool's thread would poison the pool.
#ifndef PODWEIR_NAMESPACE_H
#define PODWEIR_NAMESPACE_H

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "status.h"
#include "worker.h"

namespace podweir {

struct NamespaceEntry {
  std::string path;
  unsigned long inode = 0;
  int id = -1;         // as the agent's namespace numbers it
  int process = 0;     // the oldest one that is in it, 0 when there is none or /proc hides it
  std::string cgroup;  // that one's /proc/PID/cgroup
};

class NamespaceThread {
 public:
  // The thread that kept the right to enter namespaces, or, where privileges were not dropped, one of its own.
  NamespaceThread();
  // Runs `job` inside the namespace at `path` (empty: the agent's own) and waits for it. A namespace with another inode
  // than `inode` is refused (ESTALE); 0 takes whichever is there.
  Status In(const std::string& path, unsigned long inode, const std::function<Status()>& job);
  Status In(const std::string& path, const std::function<Status()>& job) { return In(path, 0, job); }

 private:
  std::unique_ptr<Worker> own_;
  Worker& worker_;
};

// Every network namespace but the agent's own that has a name under /run/netns or a process, each once. One without a
// name goes by that of its oldest process: a pod's sandbox is there first and stays to the end.
std::vector<NamespaceEntry> ListNamespaces();

// The inode that names a namespace as long as it lives, 0 when the path is none.
unsigned long NamespaceInode(const std::string& path);

// A path by which the namespace can be entered, empty when it has no name and no process.
std::string NamespacePath(unsigned long inode);

}  // namespace podweir

#endif
