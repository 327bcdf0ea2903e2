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
  int id = -1;      // as the agent's namespace numbers it
  int process = 0;  // the oldest one that is in it, 0 when there is none or /proc hides it
};

// Runs `job` inside the namespace at `path` (empty: the thread's own), on a thread where nothing else minds. A
// namespace with another inode than `inode` is refused (ESTALE); 0 takes whichever is there.
Status InNamespace(const std::string& path, unsigned long inode, const std::function<Status()>& job);

class NamespaceThread {
 public:
  // The thread that kept the right to enter namespaces, or, where privileges were not dropped, one of its own.
  NamespaceThread();
  // As InNamespace, and waits for it; an empty path is the agent's own namespace.
  Status In(const std::string& path, unsigned long inode, const std::function<Status()>& job);
  Status In(const std::string& path, const std::function<Status()>& job) { return In(path, 0, job); }

 private:
  std::unique_ptr<Worker> own_;
  Worker& worker_;
};

// Where programs leave names of namespaces: iproute2, CNI runtimes (containerd, CRI-O, Podman) and Docker.
extern const std::vector<const char*> kNamespaceFolders;

// Calls back with each name once, and its namespace's inode: 0 when nothing is mounted there (yet). /var/run is mostly
// the same as /run.
void EachNamedNamespace(const std::function<void(const std::string& path, unsigned long inode)>& visit);

// Every network namespace but the agent's own that has a name or a process, each once. One without a name goes by that
// of its oldest process: a pod's sandbox is there first and stays to the end.
std::vector<NamespaceEntry> ListNamespaces();

// The inode that names a namespace as long as it lives, 0 when the path is none.
unsigned long NamespaceInode(const std::string& path);

// A path by which the namespace can be entered, empty when it has no name and no process.
std::string NamespacePath(unsigned long inode);

}  // namespace podweir

#endif
