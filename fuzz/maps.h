// The kernel's maps as plain tables of this process, for programs compiled natively and for a harness that looks in.
#ifndef PODWEIR_FUZZ_MAPS_H
#define PODWEIR_FUZZ_MAPS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Taken off a definition in ebpf/maps.bpf.h.
struct map_definition {
  const char* name;
  void* address;  // what programs call it by
  uint32_t kind;  // BPF_MAP_TYPE_*
  uint32_t key_bytes, value_bytes, max_entries;
};

// __uint(name, number) declares a pointer to an array of so many ints.
#define MAP_NUMBER(map, name) (sizeof(*(map).name) / sizeof(int))
#define MAP_OF(map, key_bytes) \
  { #map, &(map), MAP_NUMBER(map, type), key_bytes, sizeof(*(map).value), MAP_NUMBER(map, max_entries) }
#define KEYED_MAP(map) MAP_OF(map, sizeof(*(map).key))
#define STACK_MAP(map) MAP_OF(map, 0)

// Of the programs that are linked in.
extern const struct map_definition kernel_maps[];
extern const size_t kernel_map_count;

// Empties them, each as large as it is defined.
void native_reset_maps(void);

#ifdef __cplusplus
}

#include <cstring>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace podweir {

constexpr int kCpus = 2;

class NativeMap {
 public:
  // Empties it, with room for so many.
  void Reset(const map_definition& definition, uint32_t max_entries);

  void* Lookup(const void* key);
  long Update(const void* key, const void* value, uint64_t flags);
  long Delete(const void* key);
  long Push(const void* value);
  long Pop(void* value);

  // As user space's system calls see a keyed map: of a per-CPU array the values of all CPUs, one behind the other.
  long CopyOut(const void* key, void* values);
  long CopyIn(const void* key, const void* values, uint64_t flags);

  // An array's entries, one behind the other; of a per-CPU array those of one CPU.
  template <typename Value>
  Value* Entries(int cpu = 0) {
    return reinterpret_cast<Value*>(bytes_.data() + size_t{definition_.value_bytes} * max_entries_ * cpu);
  }
  // A hash's value or null.
  const uint32_t* Find(const void* key);
  size_t size() const { return hash_.size(); }
  // An array's memory, for user space to write to.
  uint8_t* Map() {
    mapped_ = true;
    return bytes_.data();
  }
  size_t bytes() const { return bytes_.size(); }
  // A stack's values.
  const std::vector<std::vector<uint8_t>>& stack() const { return stack_; }

 private:
  void EachCpu(const std::function<void(size_t)>& visit);
  std::string KeyOf(const void* key) const { return {static_cast<const char*>(key), definition_.key_bytes}; }

  map_definition definition_{};
  uint32_t max_entries_ = 0;
  std::vector<uint8_t> bytes_;
  bool mapped_ = false;
  std::vector<uint8_t*> touched_;  // entries of bytes_: the rest is still zero, unless it is mapped
  std::unordered_map<std::string, std::vector<uint8_t>> hash_;
  std::vector<std::vector<uint8_t>> stack_;
};

// What a program sees of its machine; set by the harness.
struct Machine {
  int cpu = 0;
  uint64_t now_ns = 0;
  // Called once, before the helper call of this number, from 1.
  std::function<void()> interruption;
  int interrupted_call = 0;
  int helper_calls = 0;
  bool updates_fail = false;  // of a hash, as when its lock is held
  bool holds_lock = false;
  bool program_runs = false;  // on CPU 0: who waits for it gives up
};
extern Machine machine;

// Begins a call that another CPU may come in between.
void EnterHelper();

// Room for so many in a map that is sized "set at load".
struct MapSize {
  const char* name;
  uint32_t max_entries;
};
void ResetMaps(std::initializer_list<MapSize> set_at_load);
NativeMap& MapNamed(const char* name);

}  // namespace podweir
#endif

#endif
