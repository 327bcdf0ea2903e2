#include "run_loop.h"

#include <bpf/bpf.h>
#include <sched.h>

#include <cerrno>
#include <utility>

namespace podweir {

RunLoop::RunLoop(Fd program, std::vector<std::vector<uint8_t>> packets, uint32_t repeat, int cpu)
    : program_(std::move(program)),
      packets_(std::move(packets)),
      repeat_(repeat),
      thread_([this, cpu] { Loop(cpu); }) {}

RunLoop::~RunLoop() { Stop(); }

int64_t RunLoop::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  return runs_;
}

void RunLoop::Loop(int cpu) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(cpu, &only);
  sched_setaffinity(0, sizeof(only), &only);
  for (size_t i = 0; !stopping_; i = (i + 1) % packets_.size()) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packets_[i].data(),
                .data_size_in = static_cast<uint32_t>(packets_[i].size()), .repeat = static_cast<int>(repeat_));
    if (bpf_prog_test_run_opts(program_.get(), &options)) {
      runs_ = -errno;
      return;
    }
    runs_ += repeat_;
  }
}

}  // namespace podweir
