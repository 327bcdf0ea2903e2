// Turns a device's segmentation and merging on or off, as ethtool does, so that its counters count skbs or wire
// packets.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "endpoint.h"
#include "failure.h"
#include "roles.h"

namespace traffic {

// offload --device D on|off
int Offload(const Arguments& arguments) {
  arguments.Allow({"device"});
  const std::string device = arguments.Text("device");
  const std::string state = arguments.words().empty() ? "" : arguments.words()[0];
  if (state != "on" && state != "off") RefuseArguments("role offload needs on or off");
  if (device.size() >= IFNAMSIZ) RefuseArguments("--device " + device + " is too long");
  const podweir::Fd socket = OpenSocket(AF_INET, SOCK_DGRAM);
  for (const uint32_t command : {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO}) {
    ethtool_value value{command, state == "on"};
    ifreq request{};
    memcpy(request.ifr_name, device.data(), device.size());
    request.ifr_data = reinterpret_cast<char*>(&value);
    if (ioctl(socket.get(), SIOCETHTOOL, &request)) Fail("set offload of", device, errno);
  }
  return 0;
}

}  // namespace traffic
