// Attachments that outlive their process: pinned, described, taken over by the next agent.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

#include "attach.h"
#include "chain.h"
#include "journal_layout.h"
#include "pins.h"

namespace podweir {
namespace {

std::string LinkName(uint32_t interface_slot, flow_direction direction) {
  std::string name("link_");
  name += std::to_string(interface_slot);
  return name += direction == FROM_POD ? "_out" : "_in";
}

template <size_t kSize>
void CopyText(char (&to)[kSize], const std::string& from) {
  memset(to, 0, kSize);
  from.copy(to, kSize - 1);
}

template <size_t kSize>
std::string TextOf(const char (&from)[kSize]) {
  return std::string(from, strnlen(from, kSize));
}

}  // namespace

Status Attachment::Pin(const Pins& pins, uint32_t interface_slot) {
  if (hook_ != Hook::kTcx) return Status{};
  pins_ = &pins;
  pinned_slot_ = interface_slot;
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    Status status = pins.Put(LinkName(interface_slot, direction), links_[direction].get());
    if (!status.ok()) return status;
  }
  return Status{};
}

void Attachment::Unpin() {
  for (flow_direction direction : {FROM_POD, TO_POD})
    if (pins_) pins_->Remove(LinkName(pinned_slot_, direction));
  pins_ = nullptr;
}

void Attachment::Leave() {
  pins_ = nullptr;
  for (Fd& link : links_) link.Close();
  for (uint32_t& priority : priorities_) priority = 0;
}

void Attachment::Describe(InterfaceRecord& record) const {
  CopyText(record.device, link_.name);
  record.namespace_inode = namespace_inode_;
  CopyText(record.address, link_.address);
  CopyText(record.link_kind, link_.kind);
  record.index = link_.index;
  record.peer_index = link_.peer_index;
  record.at_host = request_.place == Place::kHost;
  record.is_clsact = hook_ == Hook::kClsact;
  record.created_clsact = created_clsact_;
  record.handle = handle_;
  for (int direction = 0; direction < DIRECTIONS; direction++) record.priorities[direction] = priorities_[direction];
}

void Attachment::TakeOver(const InterfaceRecord& record) {
  request_.device = TextOf(record.device);
  request_.place = record.at_host ? Place::kHost : Place::kPod;
  request_.hook = hook_ = record.is_clsact ? Hook::kClsact : Hook::kTcx;
  namespace_inode_ = record.namespace_inode;
  link_.name = request_.device;
  link_.address = TextOf(record.address);
  link_.kind = TextOf(record.link_kind);
  link_.index = record.index;
  link_.peer_index = record.peer_index;
}

std::unique_ptr<Attachment> Attachment::Gone(const InterfaceRecord& record, uint32_t interface_slot,
                                             NamespaceThread& namespaces, const Pins& pins) {
  std::unique_ptr<Attachment> attachment(new Attachment(AttachRequest{}, namespaces));
  attachment->TakeOver(record);
  attachment->pins_ = &pins;
  attachment->pinned_slot_ = interface_slot;
  return attachment;
}

Result<std::unique_ptr<Attachment>> Attachment::Adopt(const InterfaceRecord& record, uint32_t interface_slot,
                                                      const std::string& netns, const DispatcherMaps& maps,
                                                      NamespaceThread& namespaces, const Pins& pins) {
  std::unique_ptr<Attachment> attachment(new Attachment(AttachRequest{}, namespaces));
  attachment->TakeOver(record);
  attachment->request_.netns = netns;
  Status status = attachment->LoadDispatchers(interface_slot, maps);
  if (!status.ok()) return status;
  if (!record.is_clsact) {
    status = attachment->AdoptTcx(interface_slot, pins);
    if (!status.ok()) return status;
    return attachment;
  }
  attachment->handle_ = record.handle;
  for (int direction = 0; direction < DIRECTIONS; direction++)
    attachment->priorities_[direction] = record.priorities[direction];
  attachment->created_clsact_ = record.created_clsact;
  status = namespaces.In(netns, [&] { return attachment->AdoptClsact(); });
  if (!status.ok()) return status;
  return attachment;
}

Status Attachment::AdoptTcx(uint32_t interface_slot, const Pins& pins) {
  pins_ = &pins;
  pinned_slot_ = interface_slot;
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    links_[direction] = pins.Get(LinkName(interface_slot, direction));
    // In one step: no packet passes between the programs of before and ours.
    if (!links_[direction].valid() || bpf_link_update(links_[direction].get(), programs_[direction].get(), nullptr))
      return Failed("adopt", link_.name, ENODEV);
    if (!LinkInPlace(links_[direction].get())) return Failed("adopt", link_.name, ENODEV);
  }
  return Status{};
}

// The name may be given to another device, and the device another name.
bool Attachment::IsAt(const std::string& netns, const std::string& device) const {
  bool same = false;
  namespaces_.In(netns, [&] {
    same = static_cast<int>(if_nametoindex(device.c_str())) == link_.index;
    return Status{};
  });
  return same;
}

Status Attachment::AdoptClsact() {
  for (flow_direction direction : {FROM_POD, TO_POD}) {
    Status status = ReplaceFilter(direction);
    if (!status.ok()) return status;
  }
  return Status{};
}

}  // namespace podweir
