#include "sweep.h"

#include <bpf/libbpf.h>

#include "filters.h"
#include "interfaces.h"

namespace podweir {
namespace {

struct Sweep {
  const std::set<uint32_t>& kept;
  const bool purge;
  Swept result;

  void Device(const std::string& netns, const Link& link, Netlink& netlink) {
    bool made_by_us = false;
    for (bool egress : {false, true}) {
      for (const FilterPlace& place : FiltersOfOurs(link.index, egress)) {
        if (kept.count(place.program_id) || !RemoveFilter(link.index, egress, place)) continue;
        made_by_us |= place.handle == kOwnersHandle;
        result.filters++;
      }
    }
    if (CountFilters(netlink, link.index)) return;
    bool is_ours = made_by_us && !netns.empty();
    if (!is_ours && !netns.empty()) return;
    if (!is_ours && !purge) result.empty_clsacts.push_back(link.name);
    else result.qdiscs += RemoveClsactOf(link.index);
  }

  Status Namespace(const std::string& netns) {
    Result<Netlink> netlink = Netlink::Open();
    if (!netlink.ok()) return netlink.status;
    Result<std::vector<Link>> links = ListLinks(*netlink);
    if (!links.ok()) return links.status;
    for (const Link& link : *links)
      if (FilterQdisc(*netlink, link.index) == "clsact") Device(netns, link, *netlink);
    return Status{};
  }
};

}  // namespace

Swept SweepFilters(NamespaceThread& namespaces, const std::set<uint32_t>& kept, bool purge) {
  Sweep sweep{kept, purge, {}};
  namespaces.In("", [&] { return sweep.Namespace(""); });
  for (const NamespaceEntry& entry : ListNamespaces())
    namespaces.In(entry.path, [&] { return sweep.Namespace(entry.path); });
  return sweep.result;
}

}  // namespace podweir
