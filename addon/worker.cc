#include "worker.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace podweir {

Worker::Worker(const char* name) : thread_([this] { Loop(); }) { pthread_setname_np(thread_.native_handle(), name); }

Worker::~Worker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Worker::Submit(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void Worker::Run(const std::function<void()>& job) {
  std::mutex done_mutex;
  std::condition_variable done_changed;
  bool done = false;
  Submit([&] {
    job();
    std::lock_guard lock(done_mutex);
    done = true;
    done_changed.notify_one();
  });
  std::unique_lock lock(done_mutex);
  done_changed.wait(lock, [&] { return done; });
}

void Worker::Loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

int ThisThread() { return static_cast<int>(syscall(SYS_gettid)); }

}  // namespace podweir
