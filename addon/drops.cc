#include "drops.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

#include "capabilities.h"
#include "drops.skel.h"
#include "interfaces.h"
#include "load_log.h"
#include "netlink.h"

namespace podweir {
namespace {

constexpr char kObject[] = "drops.bpf.o";

uint32_t InodeOf(const std::string& netns) { return static_cast<uint32_t>(NamespaceInode(netns)); }

}  // namespace

Result<std::unique_ptr<Drops>> Drops::Load(bool as_before_6_11) {
  std::unique_ptr<Drops> drops(new Drops());
  Status status = drops->Open(as_before_6_11);
  if (!status.ok()) return status;
  return drops;
}

Drops::~Drops() {
  link_.Close();
  drops_bpf::destroy(skeleton_);
}

Status Drops::Open(bool as_before_6_11) {
  LoadLog log;
  Result<DropReasons> reasons = ReadDropReasons();
  if (!reasons.ok()) return reasons.status;
  reasons_ = std::move(*reasons);
  skeleton_ = drops_bpf::open();
  if (!skeleton_) return Failed("open", kObject, errno, log.LastLines(8));
  skeleton_->rodata->has_receiver = reasons_.has_receiver && !as_before_6_11;
  skeleton_->rodata->consumed_reason = reasons_.consumed;
  int error = drops_bpf::load(skeleton_);
  if (error) return LoadFailure(kObject, error, log, MissingCapabilities(kBpf, kPerfmon));
  link_ = Fd(bpf_raw_tracepoint_open("kfree_skb", bpf_program__fd(skeleton_->progs.drops_kfree_skb)));
  return link_.valid() ? Status{} : Failed("attach to tracepoint", "kfree_skb", errno);
}

Result<uint32_t> Drops::Watch(const AttachRequest& interface) {
  Claims claims;
  Status status = ClaimFor(interface, claims);
  if (!status.ok()) return status;
  uint32_t watch = next_watch_++;
  watched_.emplace(watch, std::move(claims));
  status = FillPlaces();
  if (!status.ok()) Unwatch(watch);
  if (!status.ok()) return status;
  return watch;
}

Status Drops::Unwatch(uint32_t watch) {
  if (!watched_.erase(watch)) return Failed("end watching", std::to_string(watch), ENOENT);
  return FillPlaces();
}

Status Drops::ClaimFor(const AttachRequest& interface, Claims& claims) {
  uint32_t inode = InodeOf(interface.netns);
  Link link;
  Status status = namespaces_.In(interface.netns, interface.inode, [&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    Result<std::vector<Link>> links = ListLinks(*netlink);
    if (!links.ok()) return links.status;
    for (const Link& each : *links)
      if (each.name == interface.device) link = each;
    return link.index ? Status{} : Failed("watch drops at", interface.device, ENODEV);
  });
  if (!status.ok()) return status;
  claims.own.push_back({inode, link.index});
  // What the agent's own namespace drops is the node's.
  if (inode != InodeOf("")) claims.anywhere.push_back({inode, 0});
  if (link.peer_index) ClaimOther(link, interface, claims);
  return Status{};
}

// The other end of a pair. Where it is not found the drops there are the node's.
void Drops::ClaimOther(const Link& link, const AttachRequest& interface, Claims& claims) {
  std::vector<NamespaceEntry> namespaces = ListNamespaces();
  if (interface.place == Place::kHost) {
    for (const NamespaceEntry& entry : namespaces) {
      if (entry.id < 0 || entry.id != link.peer_namespace_id) continue;
      claims.other.push_back({static_cast<uint32_t>(entry.inode), link.peer_index});
      claims.anywhere.push_back({static_cast<uint32_t>(entry.inode), 0});
    }
    return;
  }
  // Indexes repeat in other namespaces: the candidate's own number for its peer's namespace must be the pod's.
  auto is_other = [&] {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return false;
    Result<LinkReading> found = ReadLink(*netlink, -1, link.peer_index);
    if (!found.ok() || found->link.kind != link.kind || found->link.peer_index != link.index) return false;
    int pod_id = interface.netns.empty() ? -1 : NamespaceId(*netlink, interface.netns, false);
    return found->link.peer_namespace_id == pod_id;
  };
  namespaces.insert(namespaces.begin(), NamespaceEntry{"", InodeOf(""), -1, 0});
  for (const NamespaceEntry& entry : namespaces) {
    bool found = false;
    namespaces_.In(entry.path, [&] {
      found = is_other();
      return Status{};
    });
    if (!found) continue;
    claims.other.push_back({static_cast<uint32_t>(entry.inode), link.peer_index});
    return;
  }
}

// Makes the kernel's map what the claims of all watches come to.
Status Drops::FillPlaces() {
  std::map<DropPlace, uint32_t> wanted;
  for (auto list : {&Claims::own, &Claims::other, &Claims::anywhere})
    for (auto& [watch, claims] : watched_)
      for (const DropPlace& place : claims.*list) wanted.emplace(place, watch);
  int map = bpf_map__fd(skeleton_->maps.places);
  for (auto& [place, watch] : places_) {
    if (wanted.count(place)) continue;
    drop_place key{place.first, place.second};
    bpf_map_delete_elem(map, &key);
  }
  std::map<DropPlace, uint32_t> before = std::move(places_);
  places_.clear();
  Status status;
  for (auto& [place, watch] : wanted) {
    auto known = before.find(place);
    drop_place key{place.first, place.second};
    bool same = known != before.end() && known->second == watch;
    if (same || !bpf_map_update_elem(map, &key, &watch, BPF_ANY)) places_.emplace(place, watch);
    else status = Failed("watch drops at", std::to_string(place.second), errno);
  }
  return status;
}

Result<DropReading> Drops::Read() {
  int map = bpf_map__fd(skeleton_->maps.drops);
  std::vector<drop_key> keys(DROP_COUNTERS);
  std::vector<uint64_t> values(DROP_COUNTERS);
  uint32_t next = 0, count = DROP_COUNTERS;
  // ENOENT: that was all of it.
  if (bpf_map_lookup_batch(map, nullptr, &next, keys.data(), values.data(), &count, nullptr) && errno != ENOENT)
    return Failed("read", "drops", errno);
  DropReading reading;
  for (uint32_t i = 0; i < count; i++) {
    reading.counts.push_back({keys[i].watch, reasons_.NameOf(keys[i].reason), values[i]});
    if (keys[i].watch >= DROP_WATCHES && !watched_.count(keys[i].watch)) bpf_map_delete_elem(map, &keys[i]);
  }
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(skeleton_->progs.drops_kfree_skb), &info, &size))
    return Failed("read", "drops_kfree_skb", errno);
  reading.uncounted = skeleton_->bss->uncounted + info.recursion_misses;
  return reading;
}

}  // namespace podweir
