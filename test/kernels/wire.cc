#include "wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <thread>

#include "netlink.h"

namespace podweir {
namespace {

constexpr char kPodDevice[] = "eth0";

// Attributes one inside the other, which Request does not build.
class Nest {
 public:
  Nest& Add(uint16_t type, const void* value, size_t size) {
    rtattr attribute{static_cast<unsigned short>(RTA_LENGTH(size)), type};
    size_t offset = bytes_.size();
    bytes_.resize(offset + RTA_SPACE(size));
    memcpy(bytes_.data() + offset, &attribute, sizeof(attribute));
    memcpy(bytes_.data() + offset + RTA_LENGTH(0), value, size);
    return *this;
  }
  Nest& Text(uint16_t type, const char* text) { return Add(type, text, strlen(text) + 1); }
  Nest& Put(uint16_t type, const Nest& inner) { return Add(type, inner.bytes_.data(), inner.bytes_.size()); }
  // In front of the attributes: the fixed part of what VETH_INFO_PEER carries.
  template <typename Header>
  static Nest After(const Header& header) {
    Nest nest;
    nest.bytes_.resize(NLMSG_ALIGN(sizeof(header)));
    memcpy(nest.bytes_.data(), &header, sizeof(header));
    return nest;
  }
  const std::vector<char>& bytes() const { return bytes_; }

 private:
  std::vector<char> bytes_;
};

Status Ask(Request& request, const char* step, const std::string& subject) {
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  int error = netlink->Send(request, nullptr);
  return error ? Failed(step, subject, error) : Status{};
}

Status MakeNamespace(const std::string& path) {
  Status status;
  mkdir("/run/netns", 0755);
  Fd place(open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0444));
  std::thread([&] {
    if (unshare(CLONE_NEWNET) || mount("/proc/thread-self/ns/net", path.c_str(), "none", MS_BIND, nullptr))
      status = Failed("make namespace", path, errno);
  }).join();
  return status;
}

Status MakePair(const Wire& wire) {
  Fd netns(open(wire.netns.c_str(), O_RDONLY | O_CLOEXEC));
  int fd = netns.get();
  Nest peer = Nest::After(ifinfomsg{});
  peer.Text(IFLA_IFNAME, kPodDevice).Add(IFLA_NET_NS_FD, &fd, sizeof(fd));
  Nest info;
  info.Text(IFLA_INFO_KIND, "veth").Put(IFLA_INFO_DATA, Nest().Put(VETH_INFO_PEER, peer));
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, ifinfomsg{});
  request.Add(IFLA_IFNAME, wire.host.c_str(), wire.host.size() + 1);
  request.Add(IFLA_LINKINFO, info.bytes().data(), info.bytes().size());
  return Ask(request, "make veth", wire.host);
}

// Without duplicate address detection: it is of use at once.
Status AddAddress(const std::string& device, const std::string& address) {
  bool v6 = address.find(':') != std::string::npos;
  ifaddrmsg message{};
  message.ifa_family = v6 ? AF_INET6 : AF_INET;
  message.ifa_prefixlen = v6 ? 64 : 24;
  message.ifa_flags = v6 ? IFA_F_NODAD : 0;
  message.ifa_index = if_nametoindex(device.c_str());
  uint8_t bytes[16];
  if (inet_pton(message.ifa_family, address.c_str(), bytes) != 1) return Failed("add address", address, EINVAL);
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, message);
  for (uint16_t type : {IFA_LOCAL, IFA_ADDRESS}) request.Add(type, bytes, v6 ? 16 : 4);
  return Ask(request, "add address", address);
}

Status SetUp(const std::string& device) {
  ifinfomsg message{};
  message.ifi_index = static_cast<int>(if_nametoindex(device.c_str()));
  message.ifi_flags = message.ifi_change = IFF_UP;
  Request request(RTM_NEWLINK, NLM_F_ACK, message);
  return Ask(request, "set up", device);
}

void Set6(const std::string& device, const char* setting, const char* value) {
  std::string path = "/proc/sys/net/ipv6/conf/" + device + "/" + setting;
  Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (write(file.get(), value, strlen(value)) < 0) perror(path.c_str());
}

// What Linux says of its own accord for a while behind a device's start would only be noise between two readings.
void Quieten() {
  Set6("default", "router_solicitations", "0");
  Set6("default", "addr_gen_mode", "1");
  Set6("default", "mldv2_unsolicited_report_interval", "3600000");
}

// The n-th number of the line that begins with `name` and holds numbers.
uint64_t Number(const char* path, const char* name, int position) {
  FILE* file = fopen(path, "re");
  if (!file) return 0;
  char line[1024];
  uint64_t value = 0;
  while (fgets(line, sizeof(line), file)) {
    char* at = line + strspn(line, " ");
    if (strncmp(at, name, strlen(name))) continue;
    at += strlen(name);
    for (int i = 0; i <= position; i++) value = strtoull(at, &at, 10);
  }
  fclose(file);
  return value;
}

KernelCounts ReadCounts(const std::string& device) {
  constexpr char kTcp[] = "/proc/thread-self/net/snmp", kDevices[] = "/proc/thread-self/net/dev";
  // OutSegs leaves out what carries nothing new.
  constexpr int kOutSegs = 10, kRetransSegs = 11, kReceivedPackets = 1, kTransmittedPackets = 9;
  std::string name = device + ":";
  return {Number(kTcp, "Tcp:", kOutSegs) + Number(kTcp, "Tcp:", kRetransSegs),
          Number(kDevices, name.c_str(), kTransmittedPackets), Number(kDevices, name.c_str(), kReceivedPackets)};
}

}  // namespace

Result<Wire> Wires::Make(int number) {
  std::string n = std::to_string(number);
  Wire wire{"/run/netns/pod" + n, "host" + n,          "10.77." + n + ".1",
            "10.77." + n + ".2",  "fd77:" + n + "::1", "fd77:" + n + "::2"};
  Quieten();
  Status status = MakeNamespace(wire.netns);
  auto inside = [&](const std::function<Status()>& job) {
    if (status.ok()) status = namespaces_.In(wire.netns, job);
  };
  auto here = [&](const Status& done) {
    if (status.ok()) status = done;
  };
  inside([] {
    Quieten();
    return Status{};
  });
  if (!status.ok()) return status;
  here(MakePair(wire));
  inside([&] { return AddAddress(kPodDevice, wire.pod4); });
  inside([&] { return AddAddress(kPodDevice, wire.pod6); });
  here(AddAddress(wire.host, wire.host4));
  here(AddAddress(wire.host, wire.host6));
  if (!status.ok()) return status;
  return wire;
}

Status Wires::Raise(const Wire& wire) {
  Status status = SetUp(wire.host);
  if (!status.ok()) return status;
  return namespaces_.In(wire.netns, [] { return SetUp(kPodDevice); });
}

void Wires::Remove(const Wire& wire) {
  umount2(wire.netns.c_str(), MNT_DETACH);
  unlink(wire.netns.c_str());
}

void Wires::Silence(const Wire& wire) {
  Set6(wire.host, "disable_ipv6", "1");
  namespaces_.In(wire.netns, [] {
    Set6(kPodDevice, "disable_ipv6", "1");
    return Status{};
  });
}

KernelCounts Wires::Count(const std::string& netns, const std::string& device) {
  KernelCounts counts;
  namespaces_.In(netns, [&] {
    counts = ReadCounts(device);
    return Status{};
  });
  return counts;
}

}  // namespace podweir
