#include "processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

namespace podweir {
namespace {

constexpr size_t kMostBytes = 4096;
constexpr int kStartField = 22;

}  // namespace

unsigned long Process::Namespace() const {
  struct stat info;
  return fstatat(folder_.get(), "ns/net", &info, 0) ? 0 : info.st_ino;
}

bool Process::IsKernelThread() const {
  char any;
  return readlinkat(folder_.get(), "exe", &any, 1) < 0 && errno == ENOENT;
}

// proc(5): field 22 of stat, behind the name in brackets, which may have blanks and brackets.
uint64_t Process::Started() const {
  std::string stat = Read("stat");
  size_t at = stat.rfind(')');
  for (int field = 2; at != std::string::npos && field < kStartField; field++) at = stat.find(' ', at + 1);
  return at == std::string::npos ? 0 : strtoull(stat.c_str() + at, nullptr, 10);
}

std::string Process::Cgroup() const { return Read("cgroup"); }

std::string Process::Read(const char* file) const {
  char text[kMostBytes];
  Fd descriptor(openat(folder_.get(), file, O_RDONLY | O_CLOEXEC));
  ssize_t bytes = descriptor.valid() ? read(descriptor.get(), text, sizeof(text)) : 0;
  return std::string(text, bytes > 0 ? static_cast<size_t>(bytes) : 0);
}

Process OpenProcess(int id) {
  return Process(id, Fd(open(("/proc/" + std::to_string(id)).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)));
}

std::string NamespacePathOf(int process) { return "/proc/" + std::to_string(process) + "/ns/net"; }

void EachProcess(const std::function<void(Process&)>& visit) {
  Fd proc(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EachName("/proc", [&](const char* name) {
    int id = atoi(name);
    if (id <= 0) return;
    Fd folder(openat(proc.get(), name, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder.valid()) return;
    Process process(id, std::move(folder));
    visit(process);
  });
}

void EachName(const char* folder, const std::function<void(const char*)>& visit) {
  DIR* directory = opendir(folder);
  if (!directory) return;
  while (dirent* entry = readdir(directory))
    if (entry->d_name[0] != '.') visit(entry->d_name);
  closedir(directory);
}

}  // namespace podweir
