#include "libbpf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <vector>

#include "flow.h"
#include "flow.skel.h"
#include "kernel.h"
#include "maps.h"

struct bpf_map {
  std::string name;
  int fd;
  podweir::NativeMap* native;  // null for a map that no program looks into
  uint32_t max_entries;
};

struct bpf_program {
  std::string name;
  int fd;
};

struct bpf_object {
  std::vector<std::unique_ptr<bpf_map>> maps;
  std::vector<std::unique_ptr<bpf_program>> programs;
};

namespace podweir {

LoadAnswer load_answer;

namespace {

// Above all descriptors of this process: nobody but us takes them for one.
constexpr int kFirstMapFd = 1'000'000;
constexpr int kFirstProgramFd = 2'000'000;

libbpf_print_fn_t print = nullptr;
// The programs' globals as user space sees them. Half a megabyte: not for each object anew.
flow_bpf::flow_bpf__rodata rodata;
flow_bpf::flow_bpf__bss bss;
static_assert(sizeof(flow_bpf::flow_bpf__data) == sizeof(tcp_detail), "tcp_detail is all that both sides write");

void* GlobalsOf(const std::string& name) {
  if (name == "flow_bpf.rodata") return &rodata;
  if (name == "flow_bpf.data") return const_cast<__u32*>(&tcp_detail);
  return &bss;
}
// The object that is open, for who knows a descriptor only.
bpf_object* open_object = nullptr;
// What user space maps of it. It may outlive the object.
std::set<void*> mapped;

int Print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int printed = print ? print(LIBBPF_WARN, format, arguments) : 0;
  va_end(arguments);
  return printed;
}

bpf_map* MapOf(int fd) {
  size_t index = static_cast<size_t>(fd) - kFirstMapFd;
  return fd >= kFirstMapFd && open_object && index < open_object->maps.size() ? open_object->maps[index].get()
                                                                              : nullptr;
}

const map_definition* DefinitionOf(const std::string& name) {
  for (size_t i = 0; i < kernel_map_count; i++)
    if (kernel_maps[i].name == name) return &kernel_maps[i];
  return nullptr;
}

// As the system call: failures are -1 and errno in libbpf's map functions of today, the code itself in ours.
int Answer(long code) {
  if (code < 0) errno = static_cast<int>(-code);
  return static_cast<int>(code);
}

int AnyFd() { return open("/dev/null", O_RDWR | O_CLOEXEC); }

}  // namespace
}  // namespace podweir

using podweir::Answer;

extern "C" {

int bpf_object__open_skeleton(bpf_object_skeleton* skeleton, const bpf_object_open_opts*) {
  podweir::rodata = {.flow_abi = FLOW_ABI};
  auto* object = podweir::open_object = *skeleton->obj = new bpf_object;
  for (int i = 0; i < skeleton->map_cnt; i++) {
    const bpf_map_skeleton& from = skeleton->maps[i];
    const map_definition* definition = podweir::DefinitionOf(from.name);
    object->maps.emplace_back(new bpf_map{from.name, podweir::kFirstMapFd + i,
                                          definition ? &podweir::MapNamed(from.name) : nullptr,
                                          definition ? definition->max_entries : 0});
    *from.map = object->maps.back().get();
    if (!from.mmaped) continue;
    *from.mmaped = podweir::GlobalsOf(from.name);
  }
  for (int i = 0; i < skeleton->prog_cnt; i++) {
    object->programs.emplace_back(new bpf_program{skeleton->progs[i].name, podweir::kFirstProgramFd + i});
    *skeleton->progs[i].prog = object->programs.back().get();
  }
  return 0;
}

int bpf_object__load_skeleton(bpf_object_skeleton* skeleton) {
  const podweir::LoadAnswer& answer = podweir::load_answer;
  for (size_t at = 0; at < answer.log.size(); at += answer.log_piece_bytes)
    podweir::Print("%s", answer.log.substr(at, answer.log_piece_bytes).c_str());
  for (auto& map : (*skeleton->obj)->maps)
    if (map->native) map->native->Reset(*podweir::DefinitionOf(map->name), map->max_entries);
  reset_globals(podweir::rodata.slot_limit, podweir::rodata.collapsed_limit);
  return answer.error;
}

void bpf_object__destroy_skeleton(bpf_object_skeleton* skeleton) {
  podweir::open_object = nullptr;
  delete *skeleton->obj;
  free(skeleton->maps);
  free(skeleton->progs);
  free(skeleton);
}

int bpf_map__fd(const bpf_map* map) { return map->fd; }
const char* bpf_map__name(const bpf_map* map) { return map->name.c_str(); }
int bpf_map__set_max_entries(bpf_map* map, __u32 max_entries) {
  map->max_entries = max_entries;
  return 0;
}
int bpf_program__fd(const bpf_program* program) { return program->fd; }
const char* bpf_program__name(const bpf_program* program) { return program->name.c_str(); }

bpf_map* bpf_object__next_map(const bpf_object* object, const bpf_map* map) {
  size_t next = map ? static_cast<size_t>(map->fd - podweir::kFirstMapFd) + 1 : 0;
  return next < object->maps.size() ? object->maps[next].get() : nullptr;
}
bpf_program* bpf_object__next_program(const bpf_object* object, bpf_program* program) {
  size_t next = program ? static_cast<size_t>(program->fd - podweir::kFirstProgramFd) + 1 : 0;
  return next < object->programs.size() ? object->programs[next].get() : nullptr;
}

// Of a per-CPU map all CPUs' values at once. Each of these is a moment at which packets may come in between.
int bpf_map_lookup_elem(int fd, const void* key, void* value) {
  podweir::EnterHelper();
  bpf_map* map = podweir::MapOf(fd);
  if (!map || !map->native) return Answer(-EBADF);
  return Answer(map->native->CopyOut(key, value));
}

// As Linux before 5.13 answers for an array of each CPU.
int bpf_map_lookup_batch(int, void*, void*, void*, void*, __u32*, const bpf_map_batch_opts*) {
  return Answer(-EOPNOTSUPP);
}

int bpf_map_update_elem(int fd, const void* key, const void* value, __u64 flags) {
  podweir::EnterHelper();
  bpf_map* map = podweir::MapOf(fd);
  if (!map) return Answer(-EBADF);
  if (map->name == "barrier") return Answer(podweir::machine.program_runs ? -EINTR : 0);
  if (!map->native) return 0;
  return Answer(key ? map->native->CopyIn(key, value, flags) : map->native->Push(value));
}

int bpf_map_delete_elem(int fd, const void* key) {
  podweir::EnterHelper();
  bpf_map* map = podweir::MapOf(fd);
  return Answer(map && map->native ? map->native->Delete(key) : -EBADF);
}

int bpf_obj_get_info_by_fd(int fd, void* info, __u32* size) {
  memset(info, 0, *size);
  // The first three words of all of these are type, id and more: a link's device is further behind.
  if (podweir::MapOf(fd)) static_cast<bpf_map_info*>(info)->id = static_cast<__u32>(fd);
  else if (*size == sizeof(bpf_link_info)) static_cast<bpf_link_info*>(info)->xdp.ifindex = 1;
  return 0;
}

int bpf_prog_load(bpf_prog_type, const char*, const char*, const bpf_insn*, size_t, const bpf_prog_load_opts*) {
  return podweir::AnyFd();
}
int bpf_link_create(int, int, bpf_attach_type, const bpf_link_create_opts*) { return podweir::AnyFd(); }
int bpf_prog_get_fd_by_id(__u32) { return Answer(-ENOENT); }
int bpf_link_update(int, int, const bpf_link_update_opts*) { return 0; }
// Nothing is pinned here, and every map is made with its object.
int bpf_map_create(bpf_map_type, const char*, __u32, __u32, __u32, const bpf_map_create_opts*) {
  return Answer(-EOPNOTSUPP);
}
int bpf_obj_get(const char*) { return Answer(-ENOENT); }
int bpf_obj_pin(int, const char*) { return Answer(-EOPNOTSUPP); }
int bpf_map__reuse_fd(bpf_map*, int) { return -EOPNOTSUPP; }
int bpf_map__set_autocreate(bpf_map*, bool) { return 0; }
bpf_map* bpf_object__find_map_by_name(const bpf_object*, const char*) { return nullptr; }
int bpf_enable_stats(int) { return podweir::AnyFd(); }
int libbpf_num_possible_cpus() { return podweir::kCpus; }

libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t to) {
  auto before = podweir::print;
  podweir::print = to;
  return before;
}

// Everything here is hooked with tcx.
int bpf_tc_hook_create(bpf_tc_hook*) { return Answer(-EOPNOTSUPP); }
int bpf_tc_hook_destroy(bpf_tc_hook*) { return Answer(-ENOENT); }
int bpf_tc_attach(const bpf_tc_hook*, bpf_tc_opts*) { return Answer(-EOPNOTSUPP); }
int bpf_tc_detach(const bpf_tc_hook*, const bpf_tc_opts*) { return Answer(-ENOENT); }
int bpf_tc_query(const bpf_tc_hook*, bpf_tc_opts*) { return Answer(-ENOENT); }

// A map that user space maps is the memory that programs write.
void* __real_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset);
void* __wrap_mmap(void* address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  bpf_map* map = podweir::MapOf(fd);
  if (!map) return __real_mmap(address, bytes, protection, flags, fd, offset);
  if (!map->native || bytes != map->native->bytes()) abort();
  void* memory = map->native->Map();
  podweir::mapped.insert(memory);
  return memory;
}

int __real_munmap(void* address, size_t bytes);
int __wrap_munmap(void* address, size_t bytes) {
  return podweir::mapped.erase(address) ? 0 : __real_munmap(address, bytes);
}
}
