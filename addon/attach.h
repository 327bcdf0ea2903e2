// One attachment: both directions of one interface. Its destructor undoes what it did, and nothing else.
#ifndef PODWEIR_ATTACH_H
#define PODWEIR_ATTACH_H

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "dispatcher.h"
#include "handle.h"
#include "interfaces.h"
#include "namespace.h"
#include "status.h"

namespace podweir {

class Pins;
struct InterfaceRecord;

enum class Hook { kAuto, kTcx, kClsact };
enum class Place { kPod, kHost };

struct AttachRequest {
  std::string netns;   // path, empty for the agent's own namespace
  std::string device;  // name inside it
  Place place = Place::kPod;
  Hook hook = Hook::kAuto;
  unsigned long inode = 0;  // of that namespace, 0: whichever is there
  bool held = false;        // its flows stay in the table, untold, until it is released
};

class Attachment {
 public:
  // Loads the two dispatchers and hooks them. `namespaces` must outlive the attachment.
  static Result<std::unique_ptr<Attachment>> Create(const AttachRequest& request, uint32_t interface_slot,
                                                    const DispatcherMaps& maps, NamespaceThread& namespaces);
  // What a record of an earlier agent describes and its pins still hold, with dispatchers of our own. ENODEV: the
  // device is gone, or somebody took us off it.
  static Result<std::unique_ptr<Attachment>> Adopt(const InterfaceRecord& record, uint32_t interface_slot,
                                                   const std::string& netns, const DispatcherMaps& maps,
                                                   NamespaceThread& namespaces, const Pins& pins);
  // The same when nothing is left to take over: hooked to nothing.
  static std::unique_ptr<Attachment> Gone(const InterfaceRecord& record, uint32_t interface_slot,
                                          NamespaceThread& namespaces, const Pins& pins);
  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  // Takes our programs off the interface; what the destructor does.
  void Unhook();

  // From here on what it did outlives the process, until it is unhooked. A clsact filter does by itself.
  Status Pin(const Pins& pins, uint32_t interface_slot);
  // Stays hooked when this object goes: the next agent adopts it.
  void Leave();
  void Describe(InterfaceRecord& record) const;

  // By direction: our program is where we hooked it.
  using Places = std::array<bool, DIRECTIONS>;
  Places InPlace();
  // The device we were hooked to is there still, as far as index, address and the other end's index tell.
  bool HasDevice();
  // Hooks what is not in place again.
  Status Rehook();
  // Runs `job` in the device's namespace, also when the path that it was attached by is gone or leads elsewhere.
  Status Inside(const std::function<Status()>& job);

  // The device of this name is the one that we are hooked to.
  bool IsAt(const std::string& netns, const std::string& device) const;
  const AttachRequest& request() const { return request_; }
  Hook hook() const { return hook_; }
  const Link& link() const { return link_; }
  bool replaced_stale() const { return replaced_stale_; }
  unsigned long namespace_inode() const { return namespace_inode_; }
  int program(flow_direction direction) const { return programs_[direction].get(); }

 private:
  Attachment(AttachRequest request, NamespaceThread& namespaces)
      : request_(std::move(request)), namespaces_(namespaces) {}

  Status LoadDispatchers(uint32_t interface_slot, const DispatcherMaps& maps);
  Status AttachInside();
  bool IsEgress(flow_direction direction) const;
  Status AttachTcx();
  Status AttachLink(flow_direction direction);
  Status AttachClsact();
  Status EnsureClsact();
  void TakeHandle();
  void RemoveStale(flow_direction direction);
  Status AttachFilter(flow_direction direction);
  Status ReplaceFilter(flow_direction direction);
  void DetachClsact();
  void RemoveClsact();
  void TakeOver(const InterfaceRecord& record);
  Status AdoptTcx(uint32_t interface_slot, const Pins& pins);
  Status AdoptClsact();
  void Unpin();

  AttachRequest request_;
  NamespaceThread& namespaces_;
  Link link_;
  Hook hook_ = Hook::kAuto;
  unsigned long namespace_inode_ = 0;
  Fd programs_[DIRECTIONS];
  Fd links_[DIRECTIONS];                  // tcx
  uint32_t priorities_[DIRECTIONS] = {};  // clsact; 0: no filter of ours
  uint32_t handle_ = 0;                   // clsact: of both filters
  bool created_clsact_ = false;
  bool replaced_stale_ = false;
  const Pins* pins_ = nullptr;  // where the links are, when they are
  uint32_t pinned_slot_ = 0;
};

}  // namespace podweir

#endif
