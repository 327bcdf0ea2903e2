// Frames straight out of a device, with or without its queue discipline (and so with or without TC).
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <vector>

#include "endpoint.h"
#include "failure.h"
#include "report.h"
#include "roles.h"
#include "run.h"

namespace traffic {
namespace {

constexpr size_t kHeaderBytes = ETH_HLEN + sizeof(iphdr) + sizeof(udphdr);

ifreq DeviceRequest(const std::string& device) {
  if (device.size() >= IFNAMSIZ) RefuseArguments("--device " + device + " is too long");
  ifreq request{};
  memcpy(request.ifr_name, device.data(), device.size());
  return request;
}

uint16_t HeaderChecksum(const iphdr& header) {
  const auto* words = reinterpret_cast<const uint16_t*>(&header);
  uint32_t sum = 0;
  for (size_t i = 0; i < sizeof(header) / 2; i++) sum += words[i];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void ParseMac(const std::string& text, uint8_t* mac) {
  if (sscanf(text.c_str(), "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6)
    RefuseArguments("--mac " + text + " is not an Ethernet address");
}

// A well-formed UDP datagram over IPv4 in a frame of `--size` bytes.
std::vector<uint8_t> BuildFrame(const Arguments& arguments, const podweir::Fd& socket) {
  const size_t size = arguments.Count("size", 142);
  if (size < kHeaderBytes || size > 1514) RefuseArguments("--size is from 42 to 1514");
  std::vector<uint8_t> frame(size, 'f');
  ifreq request = DeviceRequest(arguments.Text("device"));
  if (ioctl(socket.get(), SIOCGIFHWADDR, &request)) Fail("read address of", request.ifr_name, errno);
  ParseMac(arguments.Text("mac", "ff:ff:ff:ff:ff:ff"), frame.data());
  memcpy(frame.data() + ETH_ALEN, request.ifr_hwaddr.sa_data, ETH_ALEN);
  frame[12] = ETH_P_IP >> 8;
  frame[13] = ETH_P_IP & 0xff;

  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  ip.tot_len = htons(static_cast<uint16_t>(size - ETH_HLEN));
  ip.saddr = Endpoint(arguments.Text("from", "192.0.2.1"), 0).v4().s_addr;
  ip.daddr = Endpoint(arguments.Text("to", "192.0.2.2"), 0).v4().s_addr;
  ip.check = HeaderChecksum(ip);
  memcpy(frame.data() + ETH_HLEN, &ip, sizeof(ip));

  udphdr udp{};
  udp.source = htons(static_cast<uint16_t>(arguments.Count("source-port", 40000)));
  udp.dest = htons(static_cast<uint16_t>(arguments.Count("port", 9)));
  // A checksum of 0 says that there is none.
  udp.len = htons(static_cast<uint16_t>(size - ETH_HLEN - sizeof(ip)));
  memcpy(frame.data() + ETH_HLEN + sizeof(ip), &udp, sizeof(udp));
  return frame;
}

std::vector<uint8_t> ReadFrame(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail("read", path, errno);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

sockaddr_ll DeviceAddress(const Arguments& arguments) {
  const std::string device = arguments.Text("device");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  if (!address.sll_ifindex) Fail("find device", device, errno);
  return address;
}

}  // namespace

// raw --device D --count N [--size BYTES] [--to A] [--from A] [--port P] [--source-port P] [--mac M] [--file F]
//     [--bypass] [--rate PER_SECOND]
int Raw(const Arguments& arguments) {
  arguments.Allow({"device", "count", "size", "to", "from", "port", "source-port", "mac", "file", "bypass", "rate"});
  const uint64_t count = arguments.Count("count");
  Run run(arguments);
  // Protocol 0 receives nothing, so that the socket does not fill with others' frames.
  const podweir::Fd socket = OpenSocket(AF_PACKET, SOCK_RAW, 0);
  const sockaddr_ll address = DeviceAddress(arguments);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
    Fail("bind to", arguments.Text("device"), errno);
  const int bypass = arguments.Has("bypass");
  if (setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)))
    Fail("set bypass on", arguments.Text("device"), errno);
  const std::vector<uint8_t> frame =
      arguments.Has("file") ? ReadFrame(arguments.Text("file")) : BuildFrame(arguments, socket);
  const Pace pace(arguments.Decimal("rate", 20000), NowNs());
  uint64_t sent = 0;
  while (run.Going() && sent < count) {
    run.Sleep(pace.DueNs(sent));
    if (send(socket.get(), frame.data(), frame.size(), 0) >= 0) sent++;
    else if (errno != EAGAIN && errno != ENOBUFS) Fail("send through", arguments.Text("device"), errno);
  }
  Report("raw").Add("sent", sent).Add("sentBytes", sent * frame.size()).Print();
  return sent == count ? 0 : 1;
}

}  // namespace traffic
