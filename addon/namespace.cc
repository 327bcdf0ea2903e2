#include "namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cctype>
#include <cerrno>
#include <set>

#include "capabilities.h"
#include "interfaces.h"
#include "netlink.h"

namespace podweir {
namespace {

constexpr char kOwn[] = "/proc/thread-self/ns/net";

Status Enter(const std::string& path, const std::function<Status()>& job) {
  if (path.empty()) return job();
  Fd own(open(kOwn, O_RDONLY | O_CLOEXEC));
  if (!own.valid()) return Failed("open namespace", kOwn, errno);
  Fd target(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!target.valid()) return Failed("open namespace", path, errno);
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

template <typename Visit>
void EachEntry(const char* folder, const Visit& visit) {
  DIR* directory = opendir(folder);
  if (!directory) return;
  while (dirent* entry = readdir(directory))
    if (entry->d_name[0] != '.') visit(entry->d_name);
  closedir(directory);
}

}  // namespace

Status NamespaceThread::In(const std::string& path, const std::function<Status()>& job) {
  Status status;
  worker_.Run([&] { status = Enter(path, job); });
  return status;
}

unsigned long NamespaceInode(const std::string& path) {
  struct stat info;
  return stat(path.empty() ? kOwn : path.c_str(), &info) ? 0 : info.st_ino;
}

std::vector<NamespaceEntry> ListNamespaces() {
  std::vector<NamespaceEntry> found;
  std::set<unsigned long> known{0, NamespaceInode("")};
  Result<Netlink> netlink = Netlink::Open();
  auto add = [&](std::string path) {
    unsigned long inode = NamespaceInode(path);
    if (!known.insert(inode).second) return;
    int id = netlink.ok() ? NamespaceId(*netlink, path, false) : -1;
    found.push_back({std::move(path), inode, id});
  };
  EachEntry("/run/netns", [&](const char* name) { add(std::string("/run/netns/") + name); });
  EachEntry("/proc", [&](const char* name) {
    if (isdigit(static_cast<unsigned char>(name[0]))) add(std::string("/proc/") + name + "/ns/net");
  });
  return found;
}

}  // namespace podweir
