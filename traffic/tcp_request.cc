// A TCP client: sends requests of a fixed size and reads responses of a fixed size, over kept or over new connections.
#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

constexpr uint64_t kUnbounded = UINT64_MAX;

struct Exchange {
  enum class State { kIdle, kConnecting, kSending, kReceiving };

  podweir::Fd socket;
  State state = State::kIdle;
  uint64_t bytes_left = 0;
};

class TcpClient {
 public:
  explicit TcpClient(const Arguments& arguments);
  void Work(Run& run);
  int PrintReport() const;

 private:
  void StartDue();
  void Start(Exchange& exchange);
  void Advance(Exchange& exchange);
  void Send(Exchange& exchange);
  void Receive(Exchange& exchange);
  void Finish(Exchange& exchange, bool answered);
  void WaitForOne(Run& run, uint64_t until_ns);
  bool Busy() const;

  const Endpoint target_;
  const std::string request_;
  const uint64_t response_bytes_;
  const bool keep_;
  const uint64_t count_;
  const Pace pace_;
  std::vector<Exchange> exchanges_;
  uint64_t started_ = 0;
  uint64_t connections_ = 0;
  uint64_t responses_ = 0;
  uint64_t failed_ = 0;
  uint64_t sent_bytes_ = 0;
  uint64_t received_bytes_ = 0;
};

TcpClient::TcpClient(const Arguments& arguments)
    : target_(Endpoint::Target(arguments)),
      request_(std::max<uint64_t>(1, arguments.Count("request", 64)), 'q'),
      response_bytes_(std::max<uint64_t>(1, arguments.Count("response", 256))),
      keep_(arguments.Text("connections", "keep") == "keep"),
      count_(arguments.Count("count", kUnbounded)),
      pace_(arguments.Decimal("rate", 0), NowNs()),
      exchanges_(std::clamp<uint64_t>(arguments.Count("parallel", 1), 1, 64)) {}

void TcpClient::Start(Exchange& exchange) {
  started_++;
  exchange.bytes_left = request_.size();
  exchange.state = Exchange::State::kSending;
  if (exchange.socket.valid()) return Send(exchange);
  exchange.socket = OpenSocket(target_.family(), SOCK_STREAM);
  exchange.state = Exchange::State::kConnecting;
  if (connect(exchange.socket.get(), target_.address(), target_.length()) && errno != EINPROGRESS)
    Finish(exchange, false);
}

void TcpClient::StartDue() {
  const uint64_t now = NowNs();
  for (Exchange& exchange : exchanges_) {
    if (started_ >= count_ || now < pace_.DueNs(started_)) return;
    if (exchange.state == Exchange::State::kIdle) Start(exchange);
  }
}

void TcpClient::Finish(Exchange& exchange, bool answered) {
  (answered ? responses_ : failed_)++;
  exchange.state = Exchange::State::kIdle;
  if (!answered || !keep_) exchange.socket.Close();
}

void TcpClient::Send(Exchange& exchange) {
  const char* from = request_.data() + (request_.size() - exchange.bytes_left);
  const ssize_t put = send(exchange.socket.get(), from, exchange.bytes_left, MSG_NOSIGNAL);
  if (put < 0) return errno == EAGAIN ? void() : Finish(exchange, false);
  sent_bytes_ += put;
  exchange.bytes_left -= put;
  if (exchange.bytes_left) return;
  exchange.state = Exchange::State::kReceiving;
  exchange.bytes_left = response_bytes_;
}

void TcpClient::Receive(Exchange& exchange) {
  char buffer[65536];
  const ssize_t got = recv(exchange.socket.get(), buffer, std::min<uint64_t>(sizeof(buffer), exchange.bytes_left), 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return Finish(exchange, false);
  received_bytes_ += got;
  exchange.bytes_left -= got;
  if (!exchange.bytes_left) Finish(exchange, true);
}

void TcpClient::Advance(Exchange& exchange) {
  if (exchange.state == Exchange::State::kReceiving) return Receive(exchange);
  if (exchange.state == Exchange::State::kConnecting) {
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(exchange.socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) return Finish(exchange, false);
    connections_++;
    exchange.state = Exchange::State::kSending;
  }
  Send(exchange);
}

bool TcpClient::Busy() const {
  return std::any_of(exchanges_.begin(), exchanges_.end(),
                     [](const Exchange& exchange) { return exchange.state != Exchange::State::kIdle; });
}

void TcpClient::WaitForOne(Run& run, uint64_t until_ns) {
  std::vector<pollfd> polls;
  for (const Exchange& exchange : exchanges_) {
    const bool idle = exchange.state == Exchange::State::kIdle;
    const short events = exchange.state == Exchange::State::kReceiving ? POLLIN : POLLOUT;
    // poll passes over negative descriptors, so that the rows stay those of exchanges_.
    polls.push_back({idle ? -1 : exchange.socket.get(), events, 0});
  }
  run.Wait(polls, until_ns);
  for (size_t i = 0; i < exchanges_.size(); i++)
    if (polls[i].revents) Advance(exchanges_[i]);
}

void TcpClient::Work(Run& run) {
  while (run.Going() && responses_ + failed_ < count_) {
    StartDue();
    const bool waits_for_pace = started_ < count_ && !Busy();
    WaitForOne(run, waits_for_pace ? pace_.DueNs(started_) : NowNs() + 100 * kMillisecond);
  }
  // A connection closed with its answer on the way would be reset: half a second for those that are open.
  for (const uint64_t end = NowNs() + kSecond / 2; Busy() && NowNs() < end;) WaitForOne(run, end);
}

int TcpClient::PrintReport() const {
  Report("tcp-request")
      .Add("connections", connections_)
      .Add("responses", responses_)
      .Add("failed", failed_)
      .Add("sentBytes", sent_bytes_)
      .Add("receivedBytes", received_bytes_)
      .Print();
  return 0;
}

}  // namespace

// tcp-request --to A --port P [--request BYTES] [--response BYTES] [--count N] [--rate PER_SECOND]
//             [--connections keep|each] [--parallel N]
int TcpRequest(const Arguments& arguments) {
  arguments.Allow({"to", "port", "request", "response", "count", "rate", "connections", "parallel"});
  Run run(arguments);
  TcpClient client(arguments);
  client.Work(run);
  return client.PrintReport();
}

}  // namespace traffic
