#include "namespace.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <set>

#include "capabilities.h"
#include "interfaces.h"
#include "netlink.h"
#include "privileges.h"

namespace podweir {
namespace {

constexpr char kOwn[] = "/proc/thread-self/ns/net";
constexpr size_t kMostProcessBytes = 4096;
constexpr int kStartField = 22;

Status Enter(const std::string& path, unsigned long inode, const std::function<Status()>& job) {
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

template <typename Visit>
void EachEntry(const char* folder, const Visit& visit) {
  DIR* directory = opendir(folder);
  if (!directory) return;
  while (dirent* entry = readdir(directory))
    if (entry->d_name[0] != '.') visit(entry->d_name);
  closedir(directory);
}

struct Process {
  int id = 0;
  unsigned long long started = 0;  // clock ticks since the machine has
};

std::string ProcessPath(int process, const char* file) {
  return std::string("/proc/") + std::to_string(process) + "/" + file;
}

// As much of it as is plausible; empty when the process is gone.
std::string ReadProcess(int process, const char* file) {
  std::string text(kMostProcessBytes, '\0');
  Fd descriptor(open(ProcessPath(process, file).c_str(), O_RDONLY | O_CLOEXEC));
  ssize_t bytes = descriptor.valid() ? read(descriptor.get(), text.data(), text.size()) : 0;
  text.resize(bytes > 0 ? static_cast<size_t>(bytes) : 0);
  return text;
}

// proc(5): field 22 of stat, behind the name in brackets, which may have blanks and brackets. 0 when there is none.
unsigned long long StartOf(int process) {
  std::string stat = ReadProcess(process, "stat");
  size_t at = stat.rfind(')');
  for (int field = 2; at != std::string::npos && field < kStartField; field++) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : strtoull(stat.c_str() + at, nullptr, 10);
}

// Of each network namespace but `own`, by inode.
std::map<unsigned long, Process> OldestProcesses(unsigned long own) {
  std::map<unsigned long, Process> oldest;
  EachEntry("/proc", [&](const char* name) {
    int process = atoi(name);
    unsigned long inode = process > 0 ? NamespaceInode(ProcessPath(process, "ns/net")) : 0;
    if (inode == 0 || inode == own) return;
    unsigned long long started = StartOf(process);
    Process& known = oldest[inode];
    if (started > 0 && (known.id == 0 || started < known.started)) known = {process, started};
  });
  std::erase_if(oldest, [](const auto& entry) { return entry.second.id == 0; });
  return oldest;
}

}  // namespace

NamespaceThread::NamespaceThread()
    : own_(EnteringThread() ? nullptr : std::make_unique<Worker>("podweir-netns")),
      worker_(own_ ? *own_ : *EnteringThread()) {}

Status NamespaceThread::In(const std::string& path, unsigned long inode, const std::function<Status()>& job) {
  Status status;
  worker_.Run([&] { status = Enter(path, inode, job); });
  return status;
}

unsigned long NamespaceInode(const std::string& path) {
  struct stat info;
  return stat(path.empty() ? kOwn : path.c_str(), &info) ? 0 : info.st_ino;
}

std::string NamespacePath(unsigned long inode) {
  std::string found;
  if (!inode) return found;
  EachEntry("/run/netns", [&](const char* name) {
    std::string path = std::string("/run/netns/") + name;
    if (found.empty() && NamespaceInode(path) == inode) found = path;
  });
  if (!found.empty()) return found;
  EachEntry("/proc", [&](const char* name) {
    int process = atoi(name);
    if (found.empty() && process > 0 && NamespaceInode(ProcessPath(process, "ns/net")) == inode)
      found = ProcessPath(process, "ns/net");
  });
  return found;
}

std::vector<NamespaceEntry> ListNamespaces() {
  std::vector<NamespaceEntry> found;
  std::map<unsigned long, Process> oldest = OldestProcesses(NamespaceInode(""));
  std::set<unsigned long> known{0, NamespaceInode("")};
  Result<Netlink> netlink = Netlink::Open();
  auto add = [&](std::string path, unsigned long inode) {
    if (!known.insert(inode).second) return;
    auto process = oldest.find(inode);
    NamespaceEntry entry;
    entry.path = std::move(path);
    entry.inode = inode;
    if (netlink.ok()) entry.id = NamespaceId(*netlink, entry.path, false);
    if (process != oldest.end()) {
      entry.process = process->second.id;
      entry.cgroup = ReadProcess(entry.process, "cgroup");
    }
    found.push_back(std::move(entry));
  };
  EachEntry("/run/netns", [&](const char* name) {
    std::string path = std::string("/run/netns/") + name;
    add(path, NamespaceInode(path));
  });
  for (const auto& [inode, process] : oldest) add(ProcessPath(process.id, "ns/net"), inode);
  return found;
}

}  // namespace podweir
