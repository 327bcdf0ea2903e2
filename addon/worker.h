// One thread and its queue. Kernel work that waits (RCU, RTNL, setns) runs here and never on the event loop.
#ifndef PODWEIR_WORKER_H
#define PODWEIR_WORKER_H

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace podweir {

class Worker {
 public:
  // `name` shows in ps -T, at most 15 characters.
  explicit Worker(const char* name);
  ~Worker();  // finishes what was submitted, then joins
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Submit(std::function<void()> job);
  void Run(const std::function<void()>& job);  // waits until it ran

 private:
  void Loop();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

// The kernel's number of the calling thread. Not gettid(), which glibc has had since 2.30: docs/embedding.md.
int ThisThread();

}  // namespace podweir

#endif
