#include "probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "capabilities.h"
#include "flow.skel.h"

namespace podweir {
namespace {

constexpr size_t kLoadLogBytes = 16 * 1024;

// What libbpf and the kernel said while loading; only the end of it tells why.
thread_local std::string load_log;

int KeepLog(enum libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[kLoadLogBytes];
  int length = vsnprintf(line, sizeof(line), format, arguments);
  if (length > 0) load_log.append(line, std::min<size_t>(length, sizeof(line) - 1));
  if (load_log.size() > kLoadLogBytes) load_log.erase(0, load_log.size() - kLoadLogBytes);
  return length;
}

std::string LastLines(const std::string& text, int lines) {
  size_t at = text.find_last_not_of('\n');
  if (at == std::string::npos) return "";
  size_t end = at + 1;
  while (lines-- > 0 && at != std::string::npos && at > 0) at = text.rfind('\n', at - 1);
  return text.substr(at == std::string::npos ? 0 : at + (text[at] == '\n'), end);
}

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

// Where a capability is missing the verifier complains of what it then forbids, and libbpf of memory.
Status LoadFailure(int error) {
  bool refused = error == -EPERM || error == -EACCES;
  // CAP_SYS_ADMIN stands for all of them when programs are loaded.
  std::string missing = refused && !MissingCapabilities(kSysAdmin).empty()
                            ? MissingCapabilities(kBpf, kPerfmon, kNetAdmin)
                            : std::string();
  if (!missing.empty()) return Failed("load", "flow.bpf.o", EPERM, missing);
  return Failed("load", "flow.bpf.o", error, LastLines(load_log, 8));
}

void AddProgram(Inspection& inspection, int fd) {
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(fd, &info, &size)) return;
  std::string tag;
  for (unsigned char byte : info.tag) {
    char pair[3];
    snprintf(pair, sizeof(pair), "%02x", byte);
    tag += pair;
  }
  inspection.programs.push_back({info.name, tag, info.id, info.run_time_ns, info.run_cnt, info.verified_insns});
}

}  // namespace

Result<std::unique_ptr<Probe>> Probe::Load(const ProbeOptions& options) {
  std::unique_ptr<Probe> probe(new Probe(options));
  Status status = probe->Open();
  if (!status.ok()) return status;
  return probe;
}

Probe::~Probe() {
  interfaces_.clear();
  flow_bpf::destroy(skeleton_);
}

Status Probe::Open() {
  libbpf_set_print(KeepLog);
  load_log.clear();
  skeleton_ = flow_bpf::open();
  if (!skeleton_) return Failed("open", "flow.bpf.o", errno, LastLines(load_log, 8));
  const auto& maps = skeleton_->maps;
  for (bpf_map* map : {maps.index4, maps.index6, maps.slots, maps.slot_details, maps.free_slots})
    bpf_map__set_max_entries(map, options_.flow_limit);
  int error = flow_bpf::load(skeleton_);
  if (error) return LoadFailure(error);
  if (skeleton_->rodata->flow_abi != FLOW_ABI)
    return Failed("load", "flow.bpf.o", EPROTO, "it was compiled for another FLOW_ABI than the addon");
  // The skeleton maps the programs' globals, and libbpf has read them: the front cache, which only the kernel uses.
  madvise(skeleton_->bss, sizeof(*skeleton_->bss), MADV_DONTNEED);
  possible_cpus_ = libbpf_num_possible_cpus();
  slots_ = Mapping(bpf_map__fd(skeleton_->maps.slots), sizeof(flow_slot) * options_.flow_limit);
  details_ = Mapping(bpf_map__fd(skeleton_->maps.slot_details), sizeof(flow_details) * options_.flow_limit);
  if (!slots_.get() || !details_.get()) return Failed("map", "slots", errno);
  const bpf_program* shared[SHARED_PROGRAMS] = {};
  shared[PROGRAM_FROM_POD] = skeleton_->progs.flow_from_pod;
  shared[PROGRAM_TO_POD] = skeleton_->progs.flow_to_pod;
  for (uint32_t i = 0; i < SHARED_PROGRAMS; i++) {
    int fd = bpf_program__fd(shared[i]);
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.programs), &i, &fd, BPF_ANY))
      return Failed("connect", bpf_program__name(shared[i]), errno);
  }
  return FillFreeSlots();
}

// From the last slot down, so that the first flows take the first slots.
Status Probe::FillFreeSlots() {
  int fd = bpf_map__fd(skeleton_->maps.free_slots);
  for (uint32_t slot = options_.flow_limit; slot-- > 0;)
    if (bpf_map_update_elem(fd, nullptr, &slot, BPF_ANY)) return Failed("fill", "free_slots", errno);
  return Status{};
}

Status Probe::EnableStatistics() {
  if (statistics_.valid()) return Status{};
  statistics_ = Fd(bpf_enable_stats(BPF_STATS_RUN_TIME));
  return statistics_.valid() ? Status{} : Failed("enable statistics", "BPF_STATS_RUN_TIME", errno);
}

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

cpu_scratch Probe::Faults() const {
  std::vector<cpu_scratch> per_cpu(possible_cpus_);
  uint32_t key = 0;
  cpu_scratch sum{};
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.scratch), &key, per_cpu.data())) return sum;
  for (const cpu_scratch& one : per_cpu) {
    sum.tail_call_failed += one.tail_call_failed;
    sum.index_insert_failed += one.index_insert_failed;
    sum.slot_push_failed += one.slot_push_failed;
  }
  return sum;
}

Status Probe::WaitForPrograms() const {
  uint32_t key = 0;
  int target = bpf_map__fd(skeleton_->maps.barrier_target);
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.barrier), &key, &target, BPF_ANY))
    return Failed("wait for RCU", "barrier", errno);
  return Status{};
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
  bpf_object__for_each_map(map, skeleton_->obj) {
    bpf_map_info info{};
    uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size)) continue;
    inspection.maps.push_back({bpf_map__name(map), info.id, MemoryBytes(bpf_map__fd(map))});
  }
  return inspection;
}

Result<std::vector<Link>> Probe::Links(const std::string& netns) {
  std::vector<Link> links;
  Status status = namespaces_.In(netns, [&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    Result<std::vector<Link>> listed = ListLinks(*netlink);
    if (!listed.ok()) return listed.status;
    links = std::move(*listed);
    return Status{};
  });
  if (!status.ok()) return status;
  return links;
}

}  // namespace podweir
