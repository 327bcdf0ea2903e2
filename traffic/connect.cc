// Connection attempts that are meant to fail: at a closed port (`refused`) or where nobody answers (`silent`).
#include <cerrno>
#include <vector>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

struct Outcomes {
  uint64_t attempts = 0;
  uint64_t refused = 0;
  uint64_t timed_out = 0;
  uint64_t other = 0;
};

// 0, an errno, or ETIMEDOUT when nothing came until then.
int Attempt(const Endpoint& target, Run& run, uint64_t timeout_ns) {
  const podweir::Fd socket = OpenSocket(target.family(), SOCK_STREAM);
  if (!connect(socket.get(), target.address(), target.length())) return 0;
  if (errno != EINPROGRESS) return errno;
  std::vector<pollfd> polls{{socket.get(), POLLOUT, 0}};
  run.Wait(polls, NowNs() + timeout_ns);
  if (!polls[0].revents) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof(error);
  getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

int AttemptAll(const Arguments& arguments) {
  arguments.Allow({"to", "port", "count", "rate", "timeout"});
  const Endpoint target = Endpoint::Target(arguments);
  const uint64_t count = arguments.Count("count", UINT64_MAX);
  const uint64_t timeout_ns = static_cast<uint64_t>(arguments.Decimal("timeout", 1) * kSecond);
  Run run(arguments);
  const Pace pace(arguments.Decimal("rate", 0), NowNs());
  Outcomes outcomes;
  while (run.Going() && outcomes.attempts < count) {
    run.Sleep(pace.DueNs(outcomes.attempts));
    if (!run.Going()) break;
    const int error = Attempt(target, run, timeout_ns);
    outcomes.attempts++;
    (error == ECONNREFUSED ? outcomes.refused : error == ETIMEDOUT ? outcomes.timed_out : outcomes.other)++;
  }
  Report(arguments.role())
      .Add("attempts", outcomes.attempts)
      .Add("refused", outcomes.refused)
      .Add("timedOut", outcomes.timed_out)
      .Add("other", outcomes.other)
      .Print();
  return 0;
}

}  // namespace

// refused --to A --port P [--count N] [--rate PER_SECOND] [--timeout SECONDS]
int Refused(const Arguments& arguments) { return AttemptAll(arguments); }

// silent --to A --port P [--count N] [--rate PER_SECOND] [--timeout SECONDS]
int Silent(const Arguments& arguments) { return AttemptAll(arguments); }

}  // namespace traffic
