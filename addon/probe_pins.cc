// Where a probe pins what it counts into, and what it does with pins that it can't use.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "amounts.h"
#include "clock.h"
#include "flow.skel.h"
#include "probe.h"
#include "slot_view.h"

namespace podweir {
namespace {

// All that the programs count into. Not what only makes them faster, nor what is filled at each load.
constexpr const char* kPinnedMaps[] = {"programs",       "scratch",  "interface_totals", "index4",
                                       "index6",         "slots",    "free_slots",       "slot_details",
                                       "free_collapsed", "slot_use", "class_counts"};

}  // namespace

Status Probe::OpenPins() {
  Result<std::unique_ptr<Pins>> pins = Pins::Open(options_.pins);
  if (!pins.ok()) return pins.status;
  pins_ = std::move(*pins);
  adoption_.pinned = true;
  Result<std::unique_ptr<Journal>> found = Journal::Open(*pins_);
  if (found.ok() && (*found)->flow_limit() == flow_limit() && ReuseMaps()) {
    journal_ = std::move(*found);
    adoption_.adopted = true;
    adoption_.started_at_ms = journal_->started_at_ms();
    adoption_.delivery = journal_->delivery_memo();
    adoption_.ledger = journal_->ledger_memo();
    return Status{};
  }
  Status status = DiscardPins(found.ok() ? found->get() : nullptr);
  if (!status.ok()) return status;
  adoption_.started_at_ms = WallMs();
  Result<std::unique_ptr<Journal>> created = Journal::Create(flow_limit(), slot_count_, adoption_.started_at_ms);
  if (!created.ok()) return created.status;
  journal_ = std::move(*created);
  return Status{};
}

bool Probe::ReuseMaps() {
  std::vector<std::pair<bpf_map*, Fd>> found;
  for (const char* name : kPinnedMaps) {
    found.emplace_back(bpf_object__find_map_by_name(skeleton_->obj, name), pins_->Get(name));
    if (!found.back().first || !found.back().second.valid()) return false;
  }
  return std::all_of(found.begin(), found.end(),
                     [](const auto& each) { return !bpf_map__reuse_fd(each.first, each.second.get()); });
}

// Another version's, or another size's: what its slots still held is lost, and as far as we can read it that is
// counted.
Status Probe::DiscardPins(Journal* found) {
  for (const std::string& name : pins_->List())
    if (name.starts_with("link_")) pins_->Remove(name);
  Fd slots_map = pins_->Get("slots"), details_map = pins_->Get("slot_details");
  uint32_t count = std::min(EntriesOf(slots_map), EntriesOf(details_map));
  if (found && count) {
    Mapping slots_memory(slots_map.get(), sizeof(flow_slot) * count);
    Mapping details_memory(details_map.get(), sizeof(flow_details) * count);
    const auto* slots = static_cast<const flow_slot*>(slots_memory.get());
    const auto* details = static_cast<const flow_details*>(details_memory.get());
    if (slots && details) {
      adoption_.restart = found->LostInRetired(details);
      for (uint32_t slot = 0; slot < count; slot++)
        if (First(slots[slot]).state != SLOT_FREE)
          Add(adoption_.restart,
              Less(CountsOf(slots[slot]), CountsOf(found->Delivered(slot, details[slot].identity.generation))));
      adoption_.drained = adoption_.restart;
    }
  }
  pins_->RemoveAll(true);
  pins_.reset();
  Result<std::unique_ptr<Pins>> pins = Pins::Open(options_.pins);
  if (!pins.ok()) return pins.status;
  pins_ = std::move(*pins);
  return Status{};
}

Status Probe::PinMaps() {
  for (const char* name : kPinnedMaps) {
    Status status = pins_->Put(name, bpf_map__fd(bpf_object__find_map_by_name(skeleton_->obj, name)));
    if (!status.ok()) return status;
  }
  return journal_->Publish(*pins_);
}

}  // namespace podweir
