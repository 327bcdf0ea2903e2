#include "cgroup_paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <functional>

#include "handle.h"

namespace podweir {
namespace {

constexpr const char* kTrees[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
constexpr int kDeepest = 24;
constexpr size_t kMostPaths = 100'000;

using Visit = std::function<void(uint64_t, const std::string&)>;

// The inode of a cgroup's directory is its id.
void Descend(int parent, const char* name, const std::string& path, int depth, const Visit& visit) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  DIR* directory = fd < 0 ? nullptr : fdopendir(fd);
  if (!directory) {
    if (fd >= 0) close(fd);
    return;
  }
  while (dirent* entry = readdir(directory)) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    std::string below = path + "/" + entry->d_name;
    visit(entry->d_ino, below);
    if (depth < kDeepest) Descend(dirfd(directory), entry->d_name, below, depth + 1, visit);
  }
  closedir(directory);
}

}  // namespace

std::string CgroupTree() {
  for (const char* tree : kTrees) {
    struct statfs info;
    if (!statfs(tree, &info) && info.f_type == CGROUP2_SUPER_MAGIC) return tree;
  }
  return "";
}

std::string CgroupPaths::PathOf(uint64_t id) {
  if (!id) return "";
  auto known = paths_.find(id);
  if (known == paths_.end() && !gone_.contains(id)) {
    Look();
    known = paths_.find(id);
    if (known == paths_.end()) gone_.insert(id);
  }
  return known == paths_.end() ? "" : known->second;
}

void CgroupPaths::Look() {
  paths_.clear();
  if (gone_.size() >= kMostPaths) gone_.clear();
  std::string tree = CgroupTree();
  struct stat root;
  if (tree.empty() || stat(tree.c_str(), &root)) return;
  paths_.emplace(root.st_ino, "/");
  Descend(AT_FDCWD, tree.c_str(), "", 1, [this](uint64_t id, const std::string& path) {
    if (paths_.size() < kMostPaths) paths_.emplace(id, path);
  });
}

}  // namespace podweir
