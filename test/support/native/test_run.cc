#include "test_run.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <time.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace podweir {
namespace {

constexpr size_t kRoomBytes = 256;  // a program may make a packet longer

// Of this thread alone: what others do on the same CPU meanwhile is left out.
double NowNs() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// Where the varied bytes are: the last four of the destination address, and both ports behind them.
struct Places {
  size_t destination, ports;
};

Places PlacesIn(const std::vector<uint8_t>& packet) {
  bool v6 = packet.size() > ETH_HLEN && packet[ETH_HLEN] >> 4 == 6;
  if (v6) return {ETH_HLEN + offsetof(ipv6hdr, daddr) + 12, ETH_HLEN + sizeof(ipv6hdr)};
  return {ETH_HLEN + offsetof(iphdr, daddr), ETH_HLEN + sizeof(iphdr)};
}

// One to one on 32 bits, so that no two flows are the same.
uint32_t Scramble(uint32_t number) {
  number = (number ^ number >> 16) * 0x7feb352d;
  number = (number ^ number >> 15) * 0x846ca68b;
  return number ^ number >> 16;
}

}  // namespace

Result<Fd> OpenProgram(uint32_t program_id) {
  Fd program(bpf_prog_get_fd_by_id(program_id));
  if (!program.valid()) return Failed("open program", std::to_string(program_id), errno);
  return program;
}

Result<Fd> OpenMap(uint32_t map_id) {
  Fd map(bpf_map_get_fd_by_id(map_id));
  if (!map.valid()) return Failed("open map", std::to_string(map_id), errno);
  return map;
}

Result<RunResult> TestRun(int program, const RunRequest& request) {
  RunResult result;
  result.packet.resize(request.packet.size() + kRoomBytes);
  __sk_buff skb{};
  skb.gso_size = request.gso_size;
  skb.gso_segs = request.gso_segs;
  skb.wire_len = request.wire_bytes;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = request.packet.data(), .data_out = result.packet.data(),
              .data_size_in = static_cast<uint32_t>(request.packet.size()),
              .data_size_out = static_cast<uint32_t>(result.packet.size()), .ctx_in = &skb, .ctx_size_in = sizeof(skb),
              .repeat = static_cast<int>(request.repeat));
  double before = NowNs();
  if (bpf_prog_test_run_opts(program, &options)) return Failed("test run", "program", errno);
  result.nanoseconds = (NowNs() - before) / request.repeat;
  result.returned = static_cast<int32_t>(options.retval);
  result.packet.resize(options.data_size_out);
  return result;
}

Status FillFlows(int program, std::vector<uint8_t> packet, uint32_t count, uint32_t seed) {
  Places places = PlacesIn(packet);
  if (packet.size() < places.ports + 4) return Failed("fill flows", "packet", EINVAL);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t address = Scramble(i + seed), ports = Scramble(address ^ seed);
    memcpy(&packet[places.destination], &address, sizeof(address));
    memcpy(&packet[places.ports], &ports, sizeof(ports));
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
                .data_size_in = static_cast<uint32_t>(packet.size()));
    if (bpf_prog_test_run_opts(program, &options)) return Failed("fill flows", std::to_string(i), errno);
  }
  return Status{};
}

}  // namespace podweir
