// Netlink: requests, their answers, attributes by number. Knows no meaning.
#ifndef PODWEIR_NETLINK_H
#define PODWEIR_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "handle.h"
#include "status.h"

namespace podweir {

class Request {
 public:
  template <typename Header>
  Request(uint16_t type, uint16_t flags, const Header& header) {
    bytes_.resize(NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(Header)));
    Message()->nlmsg_type = type;
    Message()->nlmsg_flags = NLM_F_REQUEST | flags;
    memcpy(bytes_.data() + NLMSG_HDRLEN, &header, sizeof(header));
  }
  template <typename Value>
  Request& Add(uint16_t type, const Value& value) {
    return Add(type, &value, sizeof(value));
  }
  Request& Add(uint16_t type, const void* value, size_t size);
  // What is added until the matching End() is inside of it.
  size_t Begin(uint16_t type);
  Request& End(size_t begun);
  nlmsghdr* Message() { return reinterpret_cast<nlmsghdr*>(bytes_.data()); }
  const std::vector<char>& bytes() const { return bytes_; }

 private:
  std::vector<char> bytes_;
};

// A message's fixed header; what the message is too short for is zero.
template <typename Header>
Header HeaderOf(const nlmsghdr* message) {
  Header header{};
  memcpy(&header, NLMSG_DATA(message), std::min<size_t>(sizeof(header), message->nlmsg_len - NLMSG_HDRLEN));
  return header;
}

// The attributes that follow a message's fixed header, or that are nested in another attribute.
class Attributes {
 public:
  Attributes(const nlmsghdr* message, size_t header_size);
  explicit Attributes(const rtattr* nested);

  const rtattr* Find(uint16_t type) const;
  template <typename Value>
  Value Get(uint16_t type, Value fallback) const {
    const rtattr* attribute = Find(type);
    if (!attribute) return fallback;
    Value value{};
    // The kernel's statistics grow with its version: a shorter attribute fills the front.
    memcpy(&value, RTA_DATA(attribute), std::min<size_t>(sizeof(value), RTA_PAYLOAD(attribute)));
    return value;
  }
  std::string_view Text(uint16_t type) const;

 private:
  const rtattr* first_;
  size_t bytes_;
};

class Netlink {
 public:
  // A socket in the calling thread's network namespace. It keeps that namespace alive: close it soon.
  static Result<Netlink> Open(int protocol = NETLINK_ROUTE);

  // A request with what the kernel does not know is refused from now on. Returns 0 or an errno.
  int CheckStrictly();

  // Sends and visits every answer; `visit` must not send itself. Returns 0 or an errno.
  int Send(Request& request, const std::function<void(const nlmsghdr*)>& visit);

  // Sends all in one go, each of which has one answer, and visits that by the request's place: the message, or an errno
  // instead. Returns 0, or the errno for which the ones that were not visited have none. At most kMostAtOnce.
  static constexpr size_t kMostAtOnce = 64;
  int SendAll(std::vector<Request>& requests, const std::function<void(size_t, const nlmsghdr*, int)>& visit);

 private:
  explicit Netlink(Fd socket) : socket_(std::move(socket)) {}

  Fd socket_;
  uint32_t sequence_ = 0;
};

}  // namespace podweir

#endif
