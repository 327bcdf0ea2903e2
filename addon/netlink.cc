#include "netlink.h"

#include <sys/socket.h>

#include <cerrno>

namespace podweir {
namespace {

constexpr size_t kReceiveBytes = 64 * 1024;
constexpr int kLargestErrno = 4095;  // MAX_ERRNO, include/linux/err.h

// Not zeroed anew for each request: a drain sends one for each interface.
alignas(nlmsghdr) thread_local char receive_buffer[kReceiveBytes];

const char* End(const rtattr* attribute) { return reinterpret_cast<const char*>(attribute) + attribute->rta_len; }

// 0 is an acknowledgment.
int ErrorIn(const nlmsghdr* answer) {
  int error = HeaderOf<int>(answer);
  bool said = answer->nlmsg_len >= NLMSG_LENGTH(sizeof(error)) && error <= 0 && error >= -kLargestErrno;
  return said ? -error : EBADMSG;
}

}  // namespace

Request& Request::Add(uint16_t type, const void* value, size_t size) {
  rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), type};
  size_t offset = bytes_.size();
  bytes_.resize(offset + RTA_SPACE(size));
  memcpy(bytes_.data() + offset, &attribute, sizeof(attribute));
  if (size) memcpy(bytes_.data() + offset + RTA_LENGTH(0), value, size);
  return *this;
}

size_t Request::Begin(uint16_t type) {
  size_t begun = bytes_.size();
  Add(static_cast<uint16_t>(type | NLA_F_NESTED), nullptr, 0);
  return begun;
}

Request& Request::End(size_t begun) {
  auto length = static_cast<unsigned short>(bytes_.size() - begun);
  memcpy(bytes_.data() + begun + offsetof(rtattr, rta_len), &length, sizeof(length));
  return *this;
}

Attributes::Attributes(const nlmsghdr* message, size_t header_size)
    : first_(reinterpret_cast<const rtattr*>(static_cast<const char*>(NLMSG_DATA(message)) + NLMSG_ALIGN(header_size))),
      bytes_(message->nlmsg_len - NLMSG_SPACE(header_size)) {
  if (message->nlmsg_len < NLMSG_SPACE(header_size)) bytes_ = 0;
}

Attributes::Attributes(const rtattr* nested)
    : first_(nested ? static_cast<const rtattr*>(RTA_DATA(nested)) : nullptr),
      bytes_(nested ? RTA_PAYLOAD(nested) : 0) {}

const rtattr* Attributes::Find(uint16_t type) const {
  size_t left = bytes_;
  const rtattr* attribute = first_;
  while (left >= sizeof(rtattr) && attribute->rta_len >= sizeof(rtattr) && attribute->rta_len <= left) {
    if ((attribute->rta_type & NLA_TYPE_MASK) == type) return attribute;
    size_t step = RTA_ALIGN(attribute->rta_len);
    if (step > left) return nullptr;
    left -= step;
    attribute = reinterpret_cast<const rtattr*>(reinterpret_cast<const char*>(attribute) + step);
  }
  return nullptr;
}

std::string_view Attributes::Text(uint16_t type) const {
  const rtattr* attribute = Find(type);
  if (!attribute) return {};
  const char* text = static_cast<const char*>(RTA_DATA(attribute));
  return {text, strnlen(text, static_cast<size_t>(End(attribute) - text))};
}

Result<Netlink> Netlink::Open(int protocol) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) return Failed("open netlink", "protocol " + std::to_string(protocol), errno);
  timeval patience{5, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return Netlink(std::move(fd));
}

int Netlink::CheckStrictly() {
  int on = 1;
  return setsockopt(socket_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) ? errno : 0;
}

int Netlink::Send(Request& request, const std::function<void(const nlmsghdr*)>& visit) {
  nlmsghdr* message = request.Message();
  message->nlmsg_len = static_cast<uint32_t>(request.bytes().size());
  message->nlmsg_seq = ++sequence_;
  bool dump = (message->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  bool acknowledged = message->nlmsg_flags & NLM_F_ACK;
  if (send(socket_.get(), request.bytes().data(), request.bytes().size(), 0) < 0) return errno;
  for (;;) {
    ssize_t received = recv(socket_.get(), receive_buffer, sizeof(receive_buffer), 0);
    if (received < 0) return errno;
    int left = static_cast<int>(received);
    for (auto* answer = reinterpret_cast<const nlmsghdr*>(receive_buffer); NLMSG_OK(answer, left);
         answer = NLMSG_NEXT(answer, left)) {
      if (answer->nlmsg_seq != sequence_) continue;
      // A dump that fails half-way says so at its end.
      if (answer->nlmsg_type == NLMSG_DONE) return answer->nlmsg_len > NLMSG_HDRLEN ? ErrorIn(answer) : 0;
      if (answer->nlmsg_type == NLMSG_ERROR) return ErrorIn(answer);
      if (visit) visit(answer);
      if (!dump && !acknowledged) return 0;
    }
  }
}

int Netlink::SendAll(std::vector<Request>& requests, const std::function<void(size_t, const nlmsghdr*, int)>& visit) {
  if (requests.empty() || requests.size() > kMostAtOnce) return requests.empty() ? 0 : EINVAL;
  std::vector<char> bytes;
  const uint32_t first = sequence_ + 1;
  for (Request& request : requests) {
    nlmsghdr* message = request.Message();
    message->nlmsg_len = static_cast<uint32_t>(request.bytes().size());
    message->nlmsg_seq = ++sequence_;
    bytes.insert(bytes.end(), request.bytes().begin(), request.bytes().end());
  }
  if (send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) return errno;
  std::vector<bool> answered(requests.size());
  for (size_t waiting = requests.size(); waiting > 0;) {
    ssize_t received = recv(socket_.get(), receive_buffer, sizeof(receive_buffer), 0);
    if (received < 0) return errno;
    int left = static_cast<int>(received);
    for (auto* answer = reinterpret_cast<const nlmsghdr*>(receive_buffer); NLMSG_OK(answer, left);
         answer = NLMSG_NEXT(answer, left)) {
      uint32_t place = answer->nlmsg_seq - first;
      if (place >= requests.size() || answered[place]) continue;
      answered[place] = true;
      waiting--;
      if (answer->nlmsg_type != NLMSG_ERROR) visit(place, answer, 0);
      else if (int error = ErrorIn(answer)) visit(place, nullptr, error);
      else visit(place, nullptr, EBADMSG);  // acknowledged, which nobody asked for, and not answered
    }
  }
  return 0;
}

}  // namespace podweir
