// A thread that hands frames from one device to another and back, each after a set time and some of them later than
// that: what netem does, for kernels without it.
#ifndef PODWEIR_FORWARDER_H
#define PODWEIR_FORWARDER_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <queue>
#include <string>
#include <thread>
#include <vector>

#include "handle.h"
#include "status.h"

namespace podweir {

struct ForwarderOptions {
  std::string netns;  // path
  std::string devices[2];
  uint64_t delay_ns = 0;    // each way
  uint32_t late_every = 0;  // one frame in so many of each direction is late, 0: none
  uint64_t late_by_ns = 0;
  int cpu = -1;  // -1: any
};

class Forwarder {
 public:
  static Result<std::unique_ptr<Forwarder>> Start(const ForwarderOptions& options);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Returns the number of frames handed over, -errno of the first that could not be; drops those still waiting.
  int64_t Stop();
  // Frames that wait for their time.
  uint64_t waiting() const { return waiting_; }

 private:
  struct Frame {
    uint64_t due_ns;
    uint64_t number;
    int to;
    std::vector<uint8_t> bytes;  // behind a virtio_net_hdr: super-packets and missing checksums pass as they are
  };
  struct Later {
    bool operator()(const Frame& a, const Frame& b) const {
      return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.number > b.number;
    }
  };

  Forwarder(const ForwarderOptions& options, Fd first, Fd second);
  void Work();
  void Take(int from);
  void SendDue();
  void Wait();

  const ForwarderOptions options_;
  Fd sockets_[2];
  Fd wake_;
  std::priority_queue<Frame, std::vector<Frame>, Later> frames_;
  std::vector<uint8_t> buffer_;
  uint64_t taken_[2] = {};
  int64_t sent_ = 0;
  int error_ = 0;
  std::atomic<uint64_t> waiting_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace podweir

#endif
