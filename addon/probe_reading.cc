// What the probe reads of its programs and maps: totals, faults, run times, sizes.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "capabilities.h"
#include "flow.skel.h"
#include "probe.h"
#include "slot_view.h"

namespace podweir {
namespace {

constexpr uint32_t kLastEpoch = 255;

uint64_t MemoryBytes(int fd) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(fd);
  FILE* file = fopen(path.c_str(), "re");
  if (!file) return 0;
  char line[256];
  unsigned long long bytes = 0;
  while (fgets(line, sizeof(line), file))
    if (sscanf(line, "memlock: %llu", &bytes) == 1) break;
  fclose(file);
  return bytes;
}

bool ReadProgram(int fd, bpf_prog_info& info) {
  info = {};
  uint32_t size = sizeof(info);
  return !bpf_obj_get_info_by_fd(fd, &info, &size);
}

void AddProgram(Inspection& inspection, int fd) {
  bpf_prog_info info;
  if (!ReadProgram(fd, info)) return;
  std::string tag;
  for (unsigned char byte : info.tag) {
    char pair[3];
    snprintf(pair, sizeof(pair), "%02x", byte);
    tag += pair;
  }
  inspection.programs.push_back({info.name, tag, info.id, info.run_time_ns, info.run_cnt, info.verified_insns});
}

// The kernel cuts names at 15 characters.
void AddMap(Inspection& inspection, int fd, const char* name = nullptr) {
  bpf_map_info info{};
  uint32_t size = sizeof(info);
  if (!bpf_obj_get_info_by_fd(fd, &info, &size))
    inspection.maps.push_back({name ? name : info.name, info.id, MemoryBytes(fd)});
}

}  // namespace

interface_totals Probe::Totals(uint32_t interface_slot) const {
  std::vector<interface_totals> per_cpu(possible_cpus_);
  interface_totals sum{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.interface_totals), &interface_slot, per_cpu.data())) return sum;
  auto* to = reinterpret_cast<uint64_t*>(&sum);
  for (const interface_totals& one : per_cpu) {
    const auto* from = reinterpret_cast<const uint64_t*>(&one);
    for (size_t i = 0; i < sizeof(sum) / sizeof(uint64_t); i++) to[i] += from[i];
  }
  return sum;
}

// One call for all where the kernel has it for this kind of map (Linux 5.13).
Skbs Probe::CountedSkbs() const {
  uint32_t count = interfaces_.empty() ? 0 : interfaces_.rbegin()->first + 1, next = 0;
  Skbs skbs(INTERFACE_SLOTS);
  std::vector<uint32_t> slots(count);
  std::vector<interface_totals> per_cpu(size_t{count} * possible_cpus_);
  int fd = bpf_map__fd(skeleton_->maps.interface_totals);
  if (bpf_map_lookup_batch(fd, nullptr, &next, slots.data(), per_cpu.data(), &count, nullptr)) {
    for (auto& [slot, interface] : interfaces_) {
      interface_totals totals = Totals(slot);
      for (flow_direction direction : {FROM_POD, TO_POD}) skbs[slot][direction] = totals.direction[direction].skbs;
    }
    return skbs;
  }
  for (uint32_t i = 0; i < count; i++)
    for (int cpu = 0; cpu < possible_cpus_; cpu++)
      for (flow_direction direction : {FROM_POD, TO_POD})
        skbs[slots[i]][direction] += per_cpu[size_t{i} * possible_cpus_ + cpu].direction[direction].skbs;
  return skbs;
}

cpu_scratch Probe::Faults() const {
  std::vector<cpu_scratch> per_cpu(possible_cpus_);
  uint32_t key = 0;
  cpu_scratch sum{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.scratch), &key, per_cpu.data())) return sum;
  for (const cpu_scratch& one : per_cpu) {
    sum.tail_call_failed += one.tail_call_failed;
    sum.index_insert_failed += one.index_insert_failed;
    sum.slot_push_failed += one.slot_push_failed;
    sum.connections_merged += one.connections_merged;
  }
  return sum;
}

class_totals Probe::Classes(uint32_t interface_slot) const {
  const auto* from =
      reinterpret_cast<const uint64_t*>(static_cast<const class_totals*>(classes_.get()) + interface_slot);
  class_totals read;
  auto* to = reinterpret_cast<uint64_t*>(&read);
  for (size_t i = 0; i < sizeof(read) / sizeof(uint64_t); i++) to[i] = ReadOnce(from[i]);
  return read;
}

uint64_t Probe::FlowsStarted() const {
  const slot_use& all = use()[0];
  return uint64_t{ReadOnce(all.started)} << 32 | ReadOnce(all.collapsed_started);
}

uint32_t Probe::SlotsInUse() const {
  const slot_use& all = use()[0];
  return ReadOnce(all.started) - all.retired;
}

Inspection Probe::Inspect() {
  Inspection inspection;
  bpf_program* program;
  bpf_object__for_each_program(program, skeleton_->obj) AddProgram(inspection, bpf_program__fd(program));
  {
    std::lock_guard lock(mutex_);
    for (auto& [slot, interface] : interfaces_)
      for (flow_direction direction : {FROM_POD, TO_POD})
        if (interface.attachment) AddProgram(inspection, interface.attachment->program(direction));
  }
  bpf_map* map;
  bpf_object__for_each_map(map, skeleton_->obj) AddMap(inspection, bpf_map__fd(map), bpf_map__name(map));
  for (int fd : journal_ ? journal_->maps() : std::vector<int>{}) AddMap(inspection, fd);
  for (int fd : tap_ ? tap_->programs() : std::vector<int>{}) AddProgram(inspection, fd);
  for (int fd : tap_ ? tap_->maps() : std::vector<int>{}) AddMap(inspection, fd);
  return inspection;
}

Status Probe::EnableStatistics() {
  if (statistics_.valid()) return Status{};
  // Takes CAP_SYS_ADMIN, which that thread alone has.
  return namespaces_.In("", [this] {
    statistics_ = Fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
    if (statistics_.valid()) return Status{};
    int error = errno;
    return Failed("enable statistics", "BPF_STATS_RUN_TIME", error, MissingCapabilities(kSysAdmin));
  });
}

void Probe::SetTcpDetail(bool on) {
  uint32_t& epoch = skeleton_->data->tcp_detail;
  if (on == (epoch != 0)) return;
  // Another epoch than before: a sample that began then would take the pause for a round trip.
  if (on) tcp_epoch_ = tcp_epoch_ % kLastEpoch + 1;
  __atomic_store_n(&epoch, on ? tcp_epoch_ : 0, __ATOMIC_RELAXED);
}

void Probe::AddTime(const Interface& interface, ProgramTime& time) {
  bpf_prog_info info;
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    if (!interface.attachment || !ReadProgram(interface.attachment->program(direction), info)) continue;
    time.nanoseconds += info.run_time_ns;
    time.runs += info.run_cnt;
  }
}

ProgramTime Probe::TimeInPrograms() {
  std::lock_guard lock(mutex_);
  ProgramTime time = past_time_;
  for (auto& [slot, interface] : interfaces_) AddTime(interface, time);
  return time;
}

}  // namespace podweir
