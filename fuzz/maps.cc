#include "maps.h"

#include <linux/bpf.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "demand.h"

namespace podweir {

Machine machine;

namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint64_t kWallMinusMonoNs = 1'700'000'000 * kNsPerSecond;

// By their order in kernel_maps.
std::vector<NativeMap> maps(kernel_map_count);

[[noreturn]] void Die(const char* why, const char* what) {
  fprintf(stderr, "%s: %s\n", why, what);
  abort();
}

NativeMap& MapAt(const void* address) {
  for (size_t i = 0; i < kernel_map_count; i++)
    if (kernel_maps[i].address == address) return maps[i];
  Die("a program uses a map that kernel_maps lacks", "add it to fuzz/kernel.c");
}

}  // namespace

void EnterHelper() {
  demand(!machine.holds_lock, "no helper is called while a lock is held");
  if (++machine.helper_calls == machine.interrupted_call) machine.interruption();
}

void ResetMaps(std::initializer_list<MapSize> set_at_load) {
  for (size_t i = 0; i < kernel_map_count; i++) {
    uint32_t max_entries = kernel_maps[i].max_entries;
    for (const MapSize& size : set_at_load)
      if (!strcmp(size.name, kernel_maps[i].name)) max_entries = size.max_entries;
    maps[i].Reset(kernel_maps[i], max_entries);
  }
}

NativeMap& MapNamed(const char* name) {
  for (size_t i = 0; i < kernel_map_count; i++)
    if (!strcmp(kernel_maps[i].name, name)) return maps[i];
  Die("kernel_maps lacks", name);
}

void NativeMap::Reset(const map_definition& definition, uint32_t max_entries) {
  definition_ = definition;
  max_entries_ = max_entries;
  hash_.clear();
  stack_.clear();
  bool array = definition.kind == BPF_MAP_TYPE_ARRAY || definition.kind == BPF_MAP_TYPE_PERCPU_ARRAY;
  size_t copies = definition.kind == BPF_MAP_TYPE_PERCPU_ARRAY ? kCpus : 1;
  if (mapped_) memset(bytes_.data(), 0, bytes_.size());
  for (uint8_t* entry : touched_) memset(entry, 0, definition.value_bytes);
  mapped_ = false;
  touched_.clear();
  bytes_.resize(array ? size_t{definition.value_bytes} * max_entries * copies : 0);
}

void* NativeMap::Lookup(const void* key) {
  if (definition_.kind == BPF_MAP_TYPE_HASH) {
    auto found = hash_.find(KeyOf(key));
    return found == hash_.end() ? nullptr : found->second.data();
  }
  uint32_t index = *static_cast<const uint32_t*>(key);
  int cpu = definition_.kind == BPF_MAP_TYPE_PERCPU_ARRAY ? machine.cpu : 0;
  if (index >= max_entries_) return nullptr;
  uint8_t* entry = Entries<uint8_t>(cpu) + size_t{definition_.value_bytes} * index;
  touched_.push_back(entry);
  return entry;
}

const uint32_t* NativeMap::Find(const void* key) { return static_cast<const uint32_t*>(Lookup(key)); }

long NativeMap::Update(const void* key, const void* value, uint64_t flags) {
  const auto* bytes = static_cast<const uint8_t*>(value);
  if (definition_.kind != BPF_MAP_TYPE_HASH) {
    void* entry = Lookup(key);
    if (!entry) return -E2BIG;
    if (flags == BPF_NOEXIST) return -EEXIST;
    memcpy(entry, value, definition_.value_bytes);
    return 0;
  }
  if (machine.updates_fail) return -EBUSY;
  auto found = hash_.find(KeyOf(key));
  if (found != hash_.end() && flags == BPF_NOEXIST) return -EEXIST;
  if (found == hash_.end() && flags == BPF_EXIST) return -ENOENT;
  if (found == hash_.end() && hash_.size() >= max_entries_) return -E2BIG;
  hash_[KeyOf(key)].assign(bytes, bytes + definition_.value_bytes);
  return 0;
}

long NativeMap::CopyOut(const void* key, void* values) {
  auto* to = static_cast<uint8_t*>(values);
  long missing = 0;
  EachCpu([&](size_t offset) {
    const void* value = Lookup(key);
    if (!value) missing = -ENOENT;
    else memcpy(to + offset, value, definition_.value_bytes);
  });
  return missing;
}

long NativeMap::CopyIn(const void* key, const void* values, uint64_t flags) {
  long failed = 0;
  EachCpu([&](size_t offset) {
    long error = Update(key, static_cast<const uint8_t*>(values) + offset, flags);
    if (error) failed = error;
  });
  return failed;
}

// With the place of that CPU's value among those of all: each begins at a multiple of 8.
void NativeMap::EachCpu(const std::function<void(size_t)>& visit) {
  int before = machine.cpu;
  int cpus = definition_.kind == BPF_MAP_TYPE_PERCPU_ARRAY ? kCpus : 1;
  for (machine.cpu = 0; machine.cpu < cpus; machine.cpu++)
    visit(static_cast<size_t>(machine.cpu) * ((definition_.value_bytes + 7) & ~size_t{7}));
  machine.cpu = before;
}

long NativeMap::Delete(const void* key) {
  if (definition_.kind != BPF_MAP_TYPE_HASH) return -EINVAL;
  return hash_.erase(KeyOf(key)) ? 0 : -ENOENT;
}

long NativeMap::Push(const void* value) {
  const auto* bytes = static_cast<const uint8_t*>(value);
  if (stack_.size() >= max_entries_) return -E2BIG;
  stack_.emplace_back(bytes, bytes + definition_.value_bytes);
  return 0;
}

long NativeMap::Pop(void* value) {
  memset(value, 0, definition_.value_bytes);
  if (stack_.empty()) return -ENOENT;
  memcpy(value, stack_.back().data(), definition_.value_bytes);
  stack_.pop_back();
  return 0;
}

extern "C" {

void native_reset_maps() { ResetMaps({}); }

void* native_map_lookup_elem(void* map, const void* key) {
  EnterHelper();
  return MapAt(map).Lookup(key);
}

long native_map_update_elem(void* map, const void* key, const void* value, __u64 flags) {
  EnterHelper();
  return MapAt(map).Update(key, value, flags);
}

long native_map_delete_elem(void* map, const void* key) {
  EnterHelper();
  return MapAt(map).Delete(key);
}

long native_map_push_elem(void* map, const void* value, __u64) {
  EnterHelper();
  return MapAt(map).Push(value);
}

long native_map_pop_elem(void* map, void* value) {
  EnterHelper();
  return MapAt(map).Pop(value);
}

__u64 native_ktime_get_ns() {
  EnterHelper();
  return machine.now_ns;
}

// Nothing comes in between while it is held: no helper may be called then.
void native_spin_lock(bpf_spin_lock* lock) {
  EnterHelper();
  demand(!lock->val && !machine.holds_lock, "a lock is free when it is taken");
  lock->val = 1;
  machine.holds_lock = true;
}

void native_spin_unlock(bpf_spin_lock* lock) {
  demand(lock->val == 1, "a lock is held when it is given back");
  lock->val = 0;
  machine.holds_lock = false;
}

// The addon's.
int native_clock_gettime(clockid_t clock, timespec* now) {
  uint64_t ns = machine.now_ns + (clock == CLOCK_REALTIME ? kWallMinusMonoNs : 0);
  *now = {static_cast<time_t>(ns / kNsPerSecond), static_cast<long>(ns % kNsPerSecond)};
  return 0;
}
}

}  // namespace podweir
