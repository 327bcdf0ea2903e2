#include "scratch_pair.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "capabilities.h"
#include "netlink.h"

namespace podweir {
namespace {

constexpr in_port_t kDiscard = 9;  // RFC 863
constexpr char kStep[] = "make scratch pair";

// An attribute with others inside.
std::vector<char> Nested(const std::vector<std::vector<char>>& inside) {
  std::vector<char> bytes;
  for (const auto& each : inside) bytes.insert(bytes.end(), each.begin(), each.end());
  return bytes;
}

std::vector<char> AttributeOf(uint16_t type, const void* value, size_t size) {
  std::vector<char> bytes(RTA_SPACE(size));
  rtattr header{static_cast<uint16_t>(RTA_LENGTH(size)), type};
  memcpy(bytes.data(), &header, sizeof(header));
  memcpy(bytes.data() + RTA_LENGTH(0), value, size);
  return bytes;
}

std::vector<char> AttributeOf(uint16_t type, const std::string& text) {
  return AttributeOf(type, text.c_str(), text.size() + 1);
}

std::vector<char> AttributeOf(uint16_t type, const std::vector<char>& nested) {
  return AttributeOf(type | NLA_F_NESTED, nested.data(), nested.size());
}

int Talk(Request& request) {
  Result<Netlink> netlink = Netlink::Open();
  return netlink.ok() ? netlink->Send(request, nullptr) : netlink.status.error;
}

int SetUp(const std::string& device) {
  ifinfomsg link{};
  link.ifi_index = static_cast<int>(if_nametoindex(device.c_str()));
  link.ifi_flags = link.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, NLM_F_ACK, link);
  return Talk(request);
}

std::string NamespaceOf(int thread) { return "/proc/self/task/" + std::to_string(thread) + "/ns/net"; }

}  // namespace

ScratchPair::ScratchPair()
    : near_device_("pwnear" + std::to_string(getpid() % 1'000'000)),
      far_device_("pwfar" + std::to_string(getpid() % 1'000'000)) {}

Result<std::unique_ptr<ScratchPair>> ScratchPair::Make() {
  std::unique_ptr<ScratchPair> pair(new ScratchPair());
  Status status = pair->Isolate();
  if (status.ok()) status = pair->Create();
  if (!status.ok()) return status;
  return pair;
}

// Namespaces of threads: with the last of them they end, and the pair with them.
Status ScratchPair::Isolate() {
  int error = 0;
  near_.Run([&] {
    error = unshare(CLONE_NEWNET) ? errno : 0;
    near_netns_ = error ? "" : NamespaceOf(ThisThread());
  });
  if (error == EPERM) return Status{};
  if (error) return Failed(kStep, "network namespace", error);
  far_.Run([&] {
    error = unshare(CLONE_NEWNET) ? errno : 0;
    far_thread_ = ThisThread();
  });
  apart_ = !error;
  return error ? Failed(kStep, "network namespace", error) : Status{};
}

Status ScratchPair::Create() {
  int error = 0;
  near_.Run([&] {
    std::vector<char> peer(sizeof(ifinfomsg));
    auto name = AttributeOf(IFLA_IFNAME, far_device_);
    peer.insert(peer.end(), name.begin(), name.end());
    Fd far_namespace;
    if (apart_) {
      far_namespace = Fd(open(NamespaceOf(far_thread_).c_str(), O_RDONLY | O_CLOEXEC));
      uint32_t fd = static_cast<uint32_t>(far_namespace.get());
      auto place = AttributeOf(IFLA_NET_NS_FD, &fd, sizeof(fd));
      peer.insert(peer.end(), place.begin(), place.end());
    }
    auto info = Nested({AttributeOf(IFLA_INFO_KIND, std::string("veth")),
                        AttributeOf(IFLA_INFO_DATA, AttributeOf(VETH_INFO_PEER, peer))});
    Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, ifinfomsg{});
    request.Add(IFLA_IFNAME, near_device_.c_str(), near_device_.size() + 1);
    request.Add(IFLA_LINKINFO, info.data(), info.size());
    error = Talk(request);
    created_ = !error;
    if (!error) error = SetUp(near_device_);
  });
  if (!error) far_.Run([&] { error = SetUp(far_device_); });
  if (!error) return Status{};
  return Failed(kStep, "veth", error, error == EPERM ? MissingCapabilities(kNetAdmin) : "");
}

Status ScratchPair::Send(int datagrams) {
  int error = 0;
  near_.Run([&] {
    Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ip_mreqn through{};
    through.imr_ifindex = static_cast<int>(if_nametoindex(near_device_.c_str()));
    sockaddr_in everyone{};
    everyone.sin_family = AF_INET;
    everyone.sin_port = htons(kDiscard);
    everyone.sin_addr.s_addr = htonl(INADDR_ALLHOSTS_GROUP);
    if (setsockopt(socket.get(), IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof(through))) error = errno;
    for (int i = 0; i < datagrams && !error; i++)
      if (sendto(socket.get(), "podweir", 7, 0, reinterpret_cast<sockaddr*>(&everyone), sizeof(everyone)) < 0)
        error = errno;
  });
  return error ? Failed("send through scratch pair", near_device_, error) : Status{};
}

ScratchPair::~ScratchPair() {
  if (!created_) return;
  near_.Run([&] {
    ifinfomsg link{};
    link.ifi_index = static_cast<int>(if_nametoindex(near_device_.c_str()));
    Request request(RTM_DELLINK, NLM_F_ACK, link);
    if (link.ifi_index) Talk(request);
  });
}

}  // namespace podweir
