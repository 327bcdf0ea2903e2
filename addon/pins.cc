#include "pins.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "journal_layout.h"
#include "processes.h"

namespace podweir {
namespace {

constexpr long kBpfFileSystem = 0xcafe4a11;  // linux/magic.h
constexpr mode_t kOwnerOnly = 0700;

// The file system's names have no dots.
std::string VersionName() {
  std::string name("v");
  name += std::to_string(FLOW_ABI);
  name += '_';
  return name += std::to_string(JOURNAL_ABI);
}

// All at once: who asks may remove what it is told of.
std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  EachName(folder.c_str(), [&](const char* name) { names.push_back(name); });
  return names;
}

// Of /proc/locks: `1: FLOCK  ADVISORY  WRITE 4711 00:1e:42 0 EOF`. 0 when it does not say.
int LockHolder(unsigned long inode) {
  FILE* locks = fopen("/proc/locks", "re");
  if (!locks) return 0;
  char line[256];
  int holder = 0, process;
  unsigned long locked;
  while (!holder && fgets(line, sizeof(line), locks))
    if (sscanf(line, "%*d: FLOCK %*s %*s %d %*x:%*x:%lu", &process, &locked) == 2 && locked == inode) holder = process;
  fclose(locks);
  return holder;
}

std::string HolderOf(int directory) {
  struct stat info;
  int process = fstat(directory, &info) ? 0 : LockHolder(info.st_ino);
  return process > 0 ? "process " + std::to_string(process) + " has it"
                     : "a process that can't be seen from here has it";
}

}  // namespace

Pins::Pins(std::string root, Fd lock)
    : root_(std::move(root)), path_(root_ + "/" + VersionName()), lock_(std::move(lock)) {}

Result<std::unique_ptr<Pins>> Pins::Open(const std::string& root) {
  std::string parent = std::filesystem::path(root).parent_path();
  struct statfs info;
  if (statfs(parent.c_str(), &info)) return Failed("pin", root, errno);
  if (info.f_type != kBpfFileSystem) return Failed("pin", root, EOPNOTSUPP, parent + " is no BPF file system");
  if (mkdir(root.c_str(), kOwnerOnly) && errno != EEXIST) return Failed("pin", root, errno);
  Fd lock(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.valid()) return Failed("pin", root, errno);
  if (flock(lock.get(), LOCK_EX | LOCK_NB))
    return Failed("lock", root, errno == EWOULDBLOCK ? EBUSY : errno, HolderOf(lock.get()));
  std::unique_ptr<Pins> pins(new Pins(root, std::move(lock)));
  if (mkdir(pins->path_.c_str(), kOwnerOnly) && errno != EEXIST) return Failed("pin", pins->path_, errno);
  return pins;
}

Fd Pins::Get(const std::string& name) const { return Fd(bpf_obj_get((path_ + "/" + name).c_str())); }

Status Pins::Put(const std::string& name, int fd) const {
  Remove(name);
  std::string to = path_ + "/" + name;
  return bpf_obj_pin(fd, to.c_str()) ? Failed("pin", to, errno) : Status{};
}

void Pins::Remove(const std::string& name) const { unlink((path_ + "/" + name).c_str()); }

std::vector<std::string> Pins::List() const { return NamesIn(path_); }

std::vector<std::string> Pins::ListAll() const {
  std::vector<std::string> names;
  for (const std::string& version : NamesIn(root_))
    for (const std::string& name : NamesIn(root_ + "/" + version)) names.push_back(name);
  return names;
}

void Pins::RemoveAll(bool others) const {
  for (const std::string& version : NamesIn(root_)) {
    std::string folder = root_ + "/" + version;
    if (folder != path_ && !others) continue;
    for (const std::string& name : NamesIn(folder)) unlink((folder + "/" + name).c_str());
    rmdir(folder.c_str());
  }
  // Only when nothing is in it any more.
  rmdir(root_.c_str());
}

uint32_t EntriesOf(const Fd& map) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(map.get(), &info, &size) ? 0 : info.max_entries;
}

}  // namespace podweir
