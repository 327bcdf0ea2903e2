#include "packet_socket.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

#include "handle.h"
#include "namespace.h"

namespace podweir {
namespace {

Status Open(const std::string& device, Fd& opened) {
  // Protocol 0 receives nothing, so that the socket does not fill with others' frames.
  Fd packet_socket(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!packet_socket.valid()) return Failed("open packet socket", device, errno);
  const int on = 1;
  if (setsockopt(packet_socket.get(), SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)))
    return Failed("set PACKET_VNET_HDR", device, errno);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(if_nametoindex(device.c_str()));
  if (!address.sll_ifindex) return Failed("find device", device, errno);
  if (bind(packet_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)))
    return Failed("bind packet socket", device, errno);
  opened = std::move(packet_socket);
  return Status{};
}

int32_t Send(const Fd& packet_socket, const std::vector<uint8_t>& frame) {
  for (;;) {
    if (send(packet_socket.get(), frame.data(), frame.size(), 0) >= 0) return 0;
    // Its buffer is free again as soon as the receiver has had its turn.
    if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR) return errno;
  }
}

}  // namespace

Result<std::vector<int32_t>> SendFrames(const std::string& netns, const std::string& device,
                                        const std::vector<std::vector<uint8_t>>& frames) {
  std::vector<int32_t> errors;
  NamespaceThread namespaces;
  Status status = namespaces.In(netns, [&] {
    Fd packet_socket;
    Status opened = Open(device, packet_socket);
    if (!opened.ok()) return opened;
    for (const std::vector<uint8_t>& frame : frames) errors.push_back(Send(packet_socket, frame));
    return Status{};
  });
  if (!status.ok()) return status;
  return errors;
}

}  // namespace podweir
