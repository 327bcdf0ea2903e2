// What the addon reads as text, whatever its bytes: the names under /proc and /run/netns, fdinfo, and what libbpf and
// the verifier say of programs that they refuse. The calls that read are this file's own (--wrap of the linker).
#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cctype>
#include <cerrno>
#include <set>

#include "demand.h"
#include "libbpf.h"
#include "namespace.h"
#include "probe.h"

namespace {

constexpr char kAnyFile[] = "/dev/null";
constexpr uint32_t kFlowLimit = 16;
constexpr size_t kLogLines = 8;

// One name to a line: those of a folder, an empty line, those of the other.
std::string text;
size_t at = 0;
dirent entry;
DIR* const kFolder = reinterpret_cast<DIR*>(&entry);

bool StartsWith(const std::string& whole, const char* start) { return whole.rfind(start, 0) == 0; }

bool IsFaked(const char* path) { return StartsWith(path, "/proc") || StartsWith(path, "/run/netns"); }

void CheckNamespaces() {
  std::set<unsigned long> inodes;
  for (const podweir::NamespaceEntry& found : podweir::ListNamespaces()) {
    demand(StartsWith(found.path, "/run/netns/") || isdigit(static_cast<unsigned char>(found.path[strlen("/proc/")])),
           "a namespace has a name or a process");
    demand(found.inode && inodes.insert(found.inode).second, "each namespace is listed once");
  }
}

void CheckInspection() {
  auto probe = podweir::Probe::Load({.flow_limit = kFlowLimit});
  demand(probe.ok(), "a probe is loaded");
  for (const podweir::MapInfo& map : (*probe)->Inspect().maps) demand(!map.name.empty(), "a map has a name");
}

// The first byte says how often the log has the rest: longer than what the addon keeps, and than what it formats.
void CheckRefusal() {
  std::string log;
  for (uint8_t times = text.empty() ? 0 : static_cast<uint8_t>(text[0]) % 32; times > 0; times--) log += text.substr(1);
  podweir::load_answer = {-EINVAL, log, 1 + log.size() / 3};
  auto probe = podweir::Probe::Load({.flow_limit = kFlowLimit});
  podweir::load_answer = {};
  demand(!probe.ok() && probe.status.error == EINVAL, "a refusal has the kernel's reason");
  const std::string& detail = probe.status.detail;
  size_t lines = static_cast<size_t>(std::count(detail.begin(), detail.end(), '\n')) + 1;
  demand(lines <= kLogLines, "of a log the last lines are told");
  demand(detail.empty() || detail.back() != '\n', "they end with the text");
}

}  // namespace

extern "C" {

// What libFuzzer reads and writes itself lies elsewhere.
DIR* __real_opendir(const char* path);
DIR* __wrap_opendir(const char* path) {
  if (!IsFaked(path)) return __real_opendir(path);
  return at < text.size() ? kFolder : nullptr;
}

int __real_closedir(DIR* folder);
int __wrap_closedir(DIR* folder) { return folder == kFolder ? 0 : __real_closedir(folder); }

dirent* __real_readdir(DIR* folder);
dirent* __wrap_readdir(DIR* folder) {
  if (folder != kFolder) return __real_readdir(folder);
  size_t end = std::min(text.find('\n', at), text.size());
  std::string name = text.substr(at, std::min(end - at, sizeof(entry.d_name) - 1));
  at = std::min(end + 1, text.size());
  if (name.empty()) return nullptr;
  memcpy(entry.d_name, name.c_str(), name.size() + 1);
  return &entry;
}

// Names of the same length are one namespace.
int __real_stat(const char* path, struct stat* info);
int __wrap_stat(const char* path, struct stat* info) {
  if (!IsFaked(path)) return __real_stat(path, info);
  *info = {};
  info->st_ino = strlen(path) % 32;
  return info->st_ino ? 0 : -1;
}

FILE* __real_fopen(const char* path, const char* mode);
FILE* __wrap_fopen(const char* path, const char* mode) {
  return IsFaked(path) ? fmemopen(text.data(), text.size(), "r") : __real_fopen(path, mode);
}

int __wrap_socket(int, int, int) { return open(kAnyFile, O_RDWR | O_CLOEXEC); }
ssize_t __wrap_send(int, const void*, size_t bytes, int) { return static_cast<ssize_t>(bytes); }
ssize_t __wrap_recv(int, void*, size_t, int) {
  errno = EAGAIN;
  return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  text.assign(reinterpret_cast<const char*>(data + 1), size - 1);
  at = 0;
  switch (data[0] % 3) {
    case 0:
      CheckNamespaces();
      break;
    case 1:
      CheckInspection();
      break;
    case 2:
      CheckRefusal();
      break;
  }
  return 0;
}
}
