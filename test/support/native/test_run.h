// Runs a loaded program on a packet that never was on a device (BPF_PROG_TEST_RUN).
#ifndef PODWEIR_TEST_RUN_H
#define PODWEIR_TEST_RUN_H

#include <cstdint>
#include <string>
#include <vector>

#include "handle.h"
#include "status.h"

namespace podweir {

struct RunRequest {
  std::vector<uint8_t> packet;
  uint32_t repeat = 1;
  // What the kernel lets a test set of the skb.
  uint32_t gso_size = 0;
  uint32_t gso_segs = 0;
  uint32_t wire_bytes = 0;
};

struct RunResult {
  int32_t returned = 0;
  double nanoseconds = 0;  // per run, the system call included
  std::vector<uint8_t> packet;
};

Result<Fd> OpenProgram(uint32_t program_id);
Result<Fd> OpenMap(uint32_t map_id);

Result<RunResult> TestRun(int program, const RunRequest& request);

// Runs the program once for each of `count` flows: `packet` (IPv4 or IPv6 with ports, no tag, no options) with another
// destination address and other ports each time. The same seed gives the same flows.
Status FillFlows(int program, std::vector<uint8_t> packet, uint32_t count, uint32_t seed);

}  // namespace podweir

#endif
