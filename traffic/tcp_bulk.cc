// A TCP stream in large writes, which the kernel sends as super-packets (GSO).
// glibc's tcp_info ends before the retransmitted bytes.
#include <linux/tcp.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

constexpr size_t kWriteBytes = 256 << 10;

podweir::Fd Connect(const Endpoint& target, Run& run) {
  podweir::Fd socket = OpenSocket(target.family(), SOCK_STREAM);
  if (connect(socket.get(), target.address(), target.length()) && errno != EINPROGRESS)
    Fail("connect to", "target", errno);
  std::vector<pollfd> polls{{socket.get(), POLLOUT, 0}};
  run.Wait(polls, NowNs() + 5 * kSecond);
  int error = polls[0].revents ? 0 : ETIMEDOUT;
  socklen_t length = sizeof(error);
  if (!error) getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error) Fail("connect to", "target", error);
  return socket;
}

// The other end closes when it has read everything, so that nothing of ours is left on the way.
bool WaitForEnd(const podweir::Fd& socket, Run& run) {
  shutdown(socket.get(), SHUT_WR);
  char byte;
  for (const uint64_t end = NowNs() + 5 * kSecond; NowNs() < end;) {
    const ssize_t got = recv(socket.get(), &byte, 1, 0);
    if (got == 0) return true;
    if (got < 0 && errno != EAGAIN) return false;
    run.WaitReadable(socket.get(), end);
  }
  return false;
}

void WaitWritable(const podweir::Fd& socket, Run& run) {
  std::vector<pollfd> polls{{socket.get(), POLLOUT, 0}};
  run.Wait(polls, NowNs() + kSecond);
}

}  // namespace

// tcp-bulk --to A --port P [--bytes N] [--rate BYTES_PER_SECOND]
int TcpBulk(const Arguments& arguments) {
  arguments.Allow({"to", "port", "bytes", "rate"});
  const uint64_t bytes = arguments.Count("bytes", UINT64_MAX);
  Run run(arguments);
  const podweir::Fd socket = Connect(Endpoint::Target(arguments), run);
  const double rate = arguments.Decimal("rate", 0);
  const Pace pace(rate, NowNs());
  // Ten writes a second look like a stream; one write a second would be a pulse.
  const size_t piece = rate > 0 ? std::clamp<size_t>(rate / 10, 1, kWriteBytes) : kWriteBytes;
  const std::string block(piece, 'b');
  uint64_t sent = 0;
  while (run.Going() && sent < bytes) {
    if (NowNs() < pace.DueNs(sent)) {
      run.Sleep(pace.DueNs(sent));
      continue;
    }
    const ssize_t put = send(socket.get(), block.data(), std::min<uint64_t>(block.size(), bytes - sent), MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN) break;
    if (put < 0) WaitWritable(socket, run);
    else sent += put;
  }
  const bool complete = WaitForEnd(socket, run);
  tcp_info info{};
  socklen_t length = sizeof(info);
  getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &length);
  Report("tcp-bulk")
      .Add("sentBytes", sent)
      .Add("complete", complete)
      .Add("retransmitted", info.tcpi_total_retrans)
      .Add("retransmittedBytes", info.tcpi_bytes_retrans)
      .Print();
  return complete ? 0 : 1;
}

}  // namespace traffic
