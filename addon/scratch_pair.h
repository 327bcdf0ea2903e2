// A pair of veth devices to try things with: a packet sent at one end arrives at the other.
#ifndef PODWEIR_SCRATCH_PAIR_H
#define PODWEIR_SCRATCH_PAIR_H

#include <memory>
#include <string>

#include "status.h"
#include "worker.h"

namespace podweir {

class ScratchPair {
 public:
  // Both ends in namespaces of their own, which end with this process, whatever ends it. Without the right to make
  // those: both in the caller's, under names with this process's id.
  static Result<std::unique_ptr<ScratchPair>> Make();
  ~ScratchPair();
  ScratchPair(const ScratchPair&) = delete;
  ScratchPair& operator=(const ScratchPair&) = delete;

  // From the near end to the far one: datagrams to all hosts of the link, which need no address and no route.
  Status Send(int datagrams);

  bool apart() const { return apart_; }
  const std::string& near_device() const { return near_device_; }
  const std::string& near_netns() const { return near_netns_; }  // path, empty for the caller's namespace

 private:
  ScratchPair();

  Status Isolate();
  Status Create();

  bool apart_ = false;
  bool created_ = false;
  std::string near_device_, far_device_;
  std::string near_netns_;
  int far_thread_ = 0;
  Worker near_{"podweir-near"};
  Worker far_{"podweir-far"};
};

}  // namespace podweir

#endif
