// The last keys that were retired: a flow that comes back is not a new one. Bounded; the oldest are forgotten.
#ifndef PODWEIR_RETIRED_KEYS_H
#define PODWEIR_RETIRED_KEYS_H

#include <cstdint>
#include <deque>
#include <unordered_map>

#include "flow.h"

namespace podweir {

class RetiredKeys {
 public:
  explicit RetiredKeys(size_t limit) : limit_(limit) {}

  // A key of IPv4 is one of IPv6 whose rest is zero. `sequence` tells apart what had the same key.
  void Add(const flow_key6& flow, uint32_t sequence = 0) {
    uint64_t key = Fingerprint(flow, sequence);
    order_.push_back(key);
    counts_[key]++;
    while (order_.size() > limit_) Forget();
  }
  bool Contains(const flow_key6& flow, uint32_t sequence = 0) const {
    return !counts_.empty() && counts_.count(Fingerprint(flow, sequence)) > 0;
  }

 private:
  // 64 bits of the key: two of 2^16 retired keys meet with a chance of 2^-33, and then one opening goes uncounted.
  static uint64_t Fingerprint(const flow_key6& flow, uint32_t sequence) {
    const auto* words = reinterpret_cast<const uint32_t*>(&flow);
    uint64_t hash = 0xcbf29ce484222325ULL ^ sequence;
    for (size_t i = 0; i < sizeof(flow) / sizeof(uint32_t); i++) {
      hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
      hash ^= hash >> 32;
    }
    return hash;
  }
  void Forget() {
    auto oldest = counts_.find(order_.front());
    order_.pop_front();
    if (oldest != counts_.end() && --oldest->second == 0) counts_.erase(oldest);
  }

  const size_t limit_;
  std::deque<uint64_t> order_;
  std::unordered_map<uint64_t, uint32_t> counts_;
};

}  // namespace podweir

#endif
