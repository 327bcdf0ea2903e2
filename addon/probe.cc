#include "probe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "capabilities.h"
#include "flow.skel.h"

namespace podweir {
namespace {

constexpr size_t kLoadLogBytes = 16 * 1024;
constexpr uint32_t kFewestCollapsedSlots = 16;
constexpr uint32_t kFlowsPerCollapsedSlot = 8;

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
  size_t start = at == std::string::npos ? 0 : at + (text[at] == '\n');
  return text.substr(start, end - start);
}

// Where a capability is missing the verifier complains of what it then forbids, and libbpf of memory.
Status LoadFailure(int error) {
  // CAP_SYS_ADMIN stands for all of them when programs are loaded.
  bool refused = (error == -EPERM || error == -EACCES) && !MissingCapabilities(kSysAdmin).empty();
  std::string missing = refused ? MissingCapabilities(kBpf, kNetAdmin) : std::string();
  if (!missing.empty()) return Failed("load", "flow.bpf.o", EPERM, missing);
  std::string said = LastLines(load_log, 8);
  // What older verifiers refuse on branches that are only mispredicted.
  if (refused && !MissingCapabilities(kPerfmon).empty())
    said += "\nkernels before 6.12 may ask for more; " + MissingCapabilities(kPerfmon);
  return Failed("load", "flow.bpf.o", error, said);
}

// On the thread that may enter it.
Result<std::vector<Link>> LinksInside(const std::string& netns) {
  Result<std::vector<Link>> links = std::vector<Link>{};
  Status status = InNamespace(netns, 0, [&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    links = ListLinks(*netlink);
    return links.status;
  });
  if (!status.ok()) return status;
  return links;
}

}  // namespace

Result<std::unique_ptr<Probe>> Probe::Load(const ProbeOptions& options) {
  std::unique_ptr<Probe> probe(new Probe(options));
  Status status = probe->Open();
  if (status.ok()) return probe;
  // What an earlier agent left is the next one's to try.
  if (probe->adoption_.adopted) probe->Keep();
  return status;
}

Probe::Probe(const ProbeOptions& options)
    : options_(options),
      slot_count_(options.flow_limit + std::max(kFewestCollapsedSlots, options.flow_limit / kFlowsPerCollapsedSlot)) {}

Probe::~Probe() {
  for (auto& [slot, interface] : interfaces_)
    if (keeps_ && journal_ && interface.attachment && interface.state != InterfaceState::kEnding)
      interface.attachment->Leave();
  interfaces_.clear();
  if (pins_ && !keeps_) pins_->RemoveAll(false);
  flow_bpf::destroy(skeleton_);
}

Status Probe::Open() {
  libbpf_set_print(KeepLog);
  load_log.clear();
  skeleton_ = flow_bpf::open();
  if (!skeleton_) return Failed("open", "flow.bpf.o", errno, LastLines(load_log, 8));
  Status pinned = options_.pins.empty() ? Status{} : OpenPins();
  if (!pinned.ok()) return pinned;
  const auto& maps = skeleton_->maps;
  for (bpf_map* map : {maps.index4, maps.index6, maps.slots, maps.slot_details})
    bpf_map__set_max_entries(map, slot_count_);
  bpf_map__set_max_entries(maps.free_slots, flow_limit());
  bpf_map__set_max_entries(maps.free_collapsed, slot_count_ - flow_limit());
  skeleton_->rodata->slot_limit = flow_limit();
  skeleton_->rodata->collapsed_limit = slot_count_ - flow_limit();
  DeclareScope(options_.scope, *skeleton_);
  // On the thread that may have CAP_SYS_ADMIN: without it, or CAP_PERFMON, the verifier adds barriers against
  // speculation.
  Status loaded = namespaces_.In("", [this] {
    load_log.clear();
    int error = flow_bpf::load(skeleton_);
    return error ? LoadFailure(error) : Status{};
  });
  if (!loaded.ok()) return loaded;
  if (skeleton_->rodata->flow_abi != FLOW_ABI)
    return Failed("load", "flow.bpf.o", EPROTO, "it was compiled for another FLOW_ABI than the addon");
  // The skeleton maps the programs' globals, and libbpf has read them: the front cache, which only the kernel uses.
  madvise(skeleton_->bss, sizeof(*skeleton_->bss), MADV_DONTNEED);
  possible_cpus_ = libbpf_num_possible_cpus();
  tcp_epoch_ = skeleton_->data->tcp_detail;
  Status status = MapMemory();
  if (status.ok()) status = FillScope(options_.scope, *skeleton_);
  if (!status.ok()) return status;
  const bpf_program* shared[SHARED_PROGRAMS] = {};
  shared[PlaceOf(PROGRAM_IPV4, FROM_POD)] = skeleton_->progs.flow4_from_pod;
  shared[PlaceOf(PROGRAM_IPV4, TO_POD)] = skeleton_->progs.flow4_to_pod;
  shared[PlaceOf(PROGRAM_IPV6, FROM_POD)] = skeleton_->progs.flow6_from_pod;
  shared[PlaceOf(PROGRAM_IPV6, TO_POD)] = skeleton_->progs.flow6_to_pod;
  shared[PlaceOf(PROGRAM_REST, FROM_POD)] = skeleton_->progs.flow_from_pod;
  shared[PlaceOf(PROGRAM_REST, TO_POD)] = skeleton_->progs.flow_to_pod;
  for (uint32_t i = 0; i < SHARED_PROGRAMS; i++) {
    int fd = bpf_program__fd(shared[i]);
    if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.programs), &i, &fd, BPF_ANY))
      return Failed("connect", bpf_program__name(shared[i]), errno);
  }
  if (options_.open_tap) tap_ = options_.open_tap(MapsOfDispatchers(), namespaces_);
  if (adoption_.adopted) {
    EndReturn();
    AdoptInterfaces();
    return Status{};
  }
  status = FillFreeSlots();
  return status.ok() && pins_ ? PinMaps() : status;
}

DispatcherMaps Probe::MapsOfDispatchers() const {
  const auto& maps = skeleton_->maps;
  return {bpf_map__fd(maps.scratch), bpf_map__fd(maps.programs), tap_ ? tap_->map() : -1};
}

Status Probe::MapMemory() {
  const auto& maps = skeleton_->maps;
  slots_ = Mapping(bpf_map__fd(maps.slots), sizeof(flow_slot) * slot_count_);
  details_ = Mapping(bpf_map__fd(maps.slot_details), sizeof(flow_details) * slot_count_);
  use_ = Mapping(bpf_map__fd(maps.slot_use), sizeof(slot_use) * INTERFACE_SLOTS);
  classes_ = Mapping(bpf_map__fd(maps.class_counts), sizeof(class_totals) * INTERFACE_SLOTS);
  for (const Mapping* mapping : {&slots_, &details_, &use_, &classes_})
    if (!mapping->get()) return Failed("map", "slots", errno);
  return Status{};
}

// From the last slot down, so that the first flows take the first slots.
Status Probe::FillFreeSlots() {
  int flows = bpf_map__fd(skeleton_->maps.free_slots), collapsed = bpf_map__fd(skeleton_->maps.free_collapsed);
  for (uint32_t slot = slot_count_; slot-- > 0;)
    if (bpf_map_update_elem(slot < flow_limit() ? flows : collapsed, nullptr, &slot, BPF_ANY))
      return Failed("fill", "free_slots", errno);
  return Status{};
}

Status Probe::WaitForPrograms() const {
  uint32_t key = 0;
  int target = bpf_map__fd(skeleton_->maps.barrier_target);
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.barrier), &key, &target, BPF_ANY))
    return Failed("wait for RCU", "barrier", errno);
  return Status{};
}

Result<std::vector<Link>> Probe::Links(const std::string& netns) { return std::move(LinksOf({netns}).front()); }

std::vector<Result<std::vector<Link>>> Probe::LinksOf(const std::vector<std::string>& netns) {
  std::vector<Result<std::vector<Link>>> all;
  namespaces_.In("", [&] {
    for (const std::string& path : netns) all.push_back(LinksInside(path));
    return Status{};
  });
  return all;
}

}  // namespace podweir
