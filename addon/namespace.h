// Work inside another network namespace, on one thread of its own: setns on a pool's thread would poison the pool.
#ifndef PODWEIR_NAMESPACE_H
#define PODWEIR_NAMESPACE_H

#include <functional>
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

// Runs `job` inside the namespace at `path` (empty: the thread's own), on a thread where nothing else minds.
Status InNamespace(const std::string& path, const std::function<Status()>& job);

class NamespaceThread {
 public:
  // Runs `job` inside the namespace at `path` (empty: the agent's own) and waits for it.
  Status In(const std::string& path, const std::function<Status()>& job);

 private:
  Worker worker_{"podweir-netns"};
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

}  // namespace podweir

#endif
