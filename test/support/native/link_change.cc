#include "link_change.h"

#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <chrono>

#include "netlink.h"

namespace podweir {

Result<int64_t> TimeLinkChange(const std::string& device, uint32_t queue_length) {
  ifinfomsg info{};
  info.ifi_index = static_cast<int>(if_nametoindex(device.c_str()));
  if (!info.ifi_index) return Failed("change", device, errno);
  Result<Netlink> netlink = Netlink::Open();
  if (!netlink.ok()) return netlink.status;
  Request request(RTM_NEWLINK, NLM_F_ACK, info);
  request.Add(IFLA_TXQLEN, queue_length);
  auto begin = std::chrono::steady_clock::now();
  int error = netlink->Send(request, nullptr);
  auto took = std::chrono::steady_clock::now() - begin;
  if (error) return Failed("change", device, error);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(took).count();
}

}  // namespace podweir
