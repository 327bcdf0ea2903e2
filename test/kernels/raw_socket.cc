#include "raw_socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

namespace podweir {
namespace {

// As linux/virtio_net.h has it, which is no C++.
struct VirtioHeader {
  uint8_t flags, gso_type;
  uint16_t header_bytes, gso_size, checksum_start, checksum_offset;
};
constexpr uint8_t kNeedsChecksum = 1, kGsoTcp4 = 1, kGsoTcp6 = 4;
constexpr uint8_t kGsoUdp = 5;  // Linux 6.2
constexpr uint16_t kTcpChecksum = 16, kUdpChecksum = 6;

// Packets of the corpus that are GSO have neither tags nor options of IP.
VirtioHeader HeaderFor(const CorpusRecord& packet) {
  VirtioHeader header{};
  if (!packet.gso_size) return header;
  bool v4 = packet.family == 4, tcp = packet.protocol == IPPROTO_TCP;
  header.flags = kNeedsChecksum;
  header.gso_type = !tcp ? kGsoUdp : v4 ? kGsoTcp4 : kGsoTcp6;
  header.gso_size = static_cast<uint16_t>(packet.gso_size);
  header.checksum_start = ETH_HLEN + (v4 ? 20 : 40);
  header.checksum_offset = tcp ? kTcpChecksum : kUdpChecksum;
  header.header_bytes = static_cast<uint16_t>(header.checksum_start + (tcp ? 20 : 8));
  return header;
}

}  // namespace

Status RawSocket::Open(const std::string& device) {
  socket_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  int on = 1;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  if (!socket_.valid() || bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) ||
      setsockopt(socket_.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
    return Failed("open raw socket", device, errno);
  return Status{};
}

int RawSocket::Send(const CorpusPacket& packet) {
  VirtioHeader header = HeaderFor(packet.expected);
  iovec parts[] = {{&header, sizeof(header)}, {const_cast<uint8_t*>(packet.bytes.data()), packet.bytes.size()}};
  return writev(socket_.get(), parts, 2) < 0 ? errno : 0;
}

}  // namespace podweir
