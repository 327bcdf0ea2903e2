// A thread, bound to one CPU, that runs a program on the same packets over and over: traffic that never pauses.
#ifndef PODWEIR_RUN_LOOP_H
#define PODWEIR_RUN_LOOP_H

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "handle.h"

namespace podweir {

class RunLoop {
 public:
  // Each packet `repeat` times in turn.
  RunLoop(Fd program, std::vector<std::vector<uint8_t>> packets, uint32_t repeat, int cpu);
  ~RunLoop();
  RunLoop(const RunLoop&) = delete;
  RunLoop& operator=(const RunLoop&) = delete;

  // Returns the number of runs, -errno when one was refused. After it nothing runs any more.
  int64_t Stop();

 private:
  void Loop(int cpu);

  Fd program_;
  const std::vector<std::vector<uint8_t>> packets_;
  const uint32_t repeat_;
  std::atomic<bool> stopping_{false};
  int64_t runs_ = 0;
  std::thread thread_;
};

}  // namespace podweir

#endif
