// Frames out of a device by a packet socket, super-packets too.
#ifndef PODWEIR_PACKET_SOCKET_H
#define PODWEIR_PACKET_SOCKET_H

#include <cstdint>
#include <string>
#include <vector>

#include "status.h"

namespace podweir {

// Each frame begins with its struct virtio_net_hdr (PACKET_VNET_HDR). Returns one errno a frame, 0 for what was sent.
// `netns`: a path, empty for the process's own.
Result<std::vector<int32_t>> SendFrames(const std::string& netns, const std::string& device,
                                        const std::vector<std::vector<uint8_t>>& frames);

}  // namespace podweir

#endif
