#include "namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "capabilities.h"
#include "interfaces.h"
#include "netlink.h"
#include "privileges.h"
#include "processes.h"

namespace podweir {
namespace {

constexpr char kOwn[] = "/proc/thread-self/ns/net";

struct Eldest {
  int id = 0;
  uint64_t started = 0;
};

// Of each network namespace but `own`, by inode.
std::map<unsigned long, Eldest> OldestProcesses(unsigned long own) {
  std::map<unsigned long, Eldest> oldest;
  EachProcess([&](const Process& process) {
    unsigned long inode = process.Namespace();
    if (inode == 0 || inode == own) return;
    uint64_t started = process.Started();
    Eldest& known = oldest[inode];
    if (started > 0 && (known.id == 0 || started < known.started)) known = {process.id(), started};
  });
  std::erase_if(oldest, [](const auto& entry) { return entry.second.id == 0; });
  return oldest;
}

}  // namespace

Status InNamespace(const std::string& path, unsigned long inode, const std::function<Status()>& job) {
  if (path.empty()) return job();
  Fd own(open(kOwn, O_RDONLY | O_CLOEXEC));
  if (!own.valid()) return Failed("open namespace", kOwn, errno);
  Fd target(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!target.valid()) return Failed("open namespace", path, errno);
  struct stat info;
  if (inode && (fstat(target.get(), &info) || info.st_ino != inode))
    return Failed("enter namespace", path, ESTALE, "another namespace is there by now");
  if (setns(target.get(), CLONE_NEWNET)) {
    int error = errno;
    return Failed("enter namespace", path, error, error == EPERM ? MissingCapabilities(kSysAdmin) : "");
  }
  // Not held while the job runs: an open descriptor would keep a dying pod's interfaces alive.
  target.Close();
  Status status = job();
  if (setns(own.get(), CLONE_NEWNET)) return Failed("leave namespace", path, errno);
  return status;
}

NamespaceThread::NamespaceThread()
    : own_(EnteringThread() ? nullptr : std::make_unique<Worker>("podweir-netns")),
      worker_(own_ ? *own_ : *EnteringThread()) {}

Status NamespaceThread::In(const std::string& path, unsigned long inode, const std::function<Status()>& job) {
  Status status;
  worker_.Run([&] { status = InNamespace(path, inode, job); });
  return status;
}

unsigned long NamespaceInode(const std::string& path) {
  struct stat info;
  return stat(path.empty() ? kOwn : path.c_str(), &info) ? 0 : info.st_ino;
}

const std::vector<const char*> kNamespaceFolders{"/run/netns", "/var/run/netns", "/run/docker/netns",
                                                 "/var/run/docker/netns"};

void EachNamedNamespace(const std::function<void(const std::string&, unsigned long)>& visit) {
  struct stat own;
  if (stat(kOwn, &own)) return;
  std::set<std::pair<dev_t, ino_t>> folders;
  for (const char* folder : kNamespaceFolders) {
    struct stat info;
    if (stat(folder, &info) || !folders.emplace(info.st_dev, info.st_ino).second) continue;
    EachName(folder, [&](const char* name) {
      std::string path = std::string(folder) + "/" + name;
      // Before the namespace is mounted on it, and after, it is a file like any other.
      struct stat entry;
      if (!stat(path.c_str(), &entry)) visit(path, entry.st_dev == own.st_dev ? entry.st_ino : 0);
    });
  }
}

std::string NamespacePath(unsigned long inode) {
  std::string found;
  if (!inode) return found;
  EachNamedNamespace([&](const std::string& path, unsigned long named) {
    if (found.empty() && named == inode) found = path;
  });
  if (!found.empty()) return found;
  EachProcess([&](const Process& process) {
    if (found.empty() && process.Namespace() == inode) found = NamespacePathOf(process.id());
  });
  return found;
}

std::vector<NamespaceEntry> ListNamespaces() {
  std::vector<NamespaceEntry> found;
  std::map<unsigned long, Eldest> oldest = OldestProcesses(NamespaceInode(""));
  std::set<unsigned long> known{0, NamespaceInode("")};
  Result<Netlink> netlink = Netlink::Open();
  auto add = [&](const std::string& path, unsigned long inode) {
    if (!known.insert(inode).second) return;
    auto process = oldest.find(inode);
    int id = netlink.ok() ? NamespaceId(*netlink, path, false) : -1;
    found.push_back({path, inode, id, process == oldest.end() ? 0 : process->second.id});
  };
  EachNamedNamespace(add);
  for (const auto& [inode, process] : oldest) add(NamespacePathOf(process.id), inode);
  return found;
}

}  // namespace podweir
