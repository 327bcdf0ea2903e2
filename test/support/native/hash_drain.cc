#include "hash_drain.h"

#include <bpf/bpf.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "flow.h"
#include "handle.h"

namespace podweir {
namespace {

constexpr uint32_t kBatchEntries = 8192;
constexpr uint32_t kOddStep = 2654435761U;  // keys in no order

struct Value {
  uint64_t words[13];
};

double NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Status Fill(int map, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    flow_key4 key{};
    key.local = i * kOddStep;
    key.remote_port = static_cast<uint16_t>(i);
    Value value{{i, i * 100ULL}};
    if (bpf_map_update_elem(map, &key, &value, BPF_ANY)) return Failed("fill", "hash", errno);
  }
  return Status{};
}

// Returns how many came out, so that no compiler leaves the reading away.
uint64_t DrainByBatch(int map, uint32_t count) {
  std::vector<flow_key4> keys(std::min(count, kBatchEntries));
  std::vector<Value> values(keys.size());
  uint32_t position = 0;
  uint64_t drained = 0;
  for (void* in = nullptr;; in = &position) {
    uint32_t got = static_cast<uint32_t>(keys.size());
    int error = bpf_map_lookup_and_delete_batch(map, in, &position, keys.data(), values.data(), &got, nullptr);
    if (error && error != -ENOENT && errno != ENOENT) return 0;
    for (uint32_t i = 0; i < got; i++) drained += values[i].words[0] < UINT64_MAX;
    if (error) return drained;
  }
}

// The next key is asked for before this one goes: from a key that is gone the kernel begins anew.
uint64_t DrainByNextKey(int map) {
  flow_key4 key, next;
  Value value;
  uint64_t drained = 0;
  bool more = !bpf_map_get_next_key(map, nullptr, &key);
  while (more) {
    more = !bpf_map_get_next_key(map, &key, &next);
    if (bpf_map_lookup_elem(map, &key, &value) || bpf_map_delete_elem(map, &key)) return 0;
    drained++;
    key = next;
  }
  return drained;
}

}  // namespace

Result<double> DrainHash(uint32_t count, DrainMethod method) {
  Fd map(bpf_map_create(BPF_MAP_TYPE_HASH, "drained", sizeof(flow_key4), sizeof(Value), count, nullptr));
  if (!map.valid()) return Failed("create", "hash", errno);
  Status filled = Fill(map.get(), count);
  if (!filled.ok()) return filled;
  double before = NowMs();
  uint64_t drained = method == DrainMethod::kBatch ? DrainByBatch(map.get(), count) : DrainByNextKey(map.get());
  double took = NowMs() - before;
  if (drained != count) return Failed("drain", "hash", EIO);
  return took;
}

}  // namespace podweir
