// podweir-traffic ROLE [--netns NAME] [--for SECONDS] …: one pretend client or server inside one network namespace.
// It ends with its parent, with its time or with its work, and never outlives all three.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "failure.h"
#include "netns.h"
#include "roles.h"

namespace {

struct Role {
  const char* name;
  int (*work)(const traffic::Arguments&);
  bool enters_netns = true;
  bool ends_with_parent = true;
};

constexpr Role kRoles[] = {
    {"tcp-serve", traffic::TcpServe},
    {"tcp-request", traffic::TcpRequest},
    {"tcp-bulk", traffic::TcpBulk},
    {"udp-serve", traffic::UdpServe},
    {"udp-send", traffic::UdpSend},
    {"ping", traffic::Ping},
    {"refused", traffic::Refused},
    {"silent", traffic::Silent},
    {"raw", traffic::Raw},
    {"flood", traffic::Flood},
    {"offload", traffic::Offload},
    {"sysctl", traffic::Sysctl, /*enters_netns=*/false},
    // The lock guards what is left when its parent is dead.
    {"lock", traffic::Lock, /*enters_netns=*/false, /*ends_with_parent=*/false},
};

}  // namespace

int main(int argc, char** argv) {
  const pid_t parent = getppid();
  const traffic::Arguments arguments(argc, argv);
  for (const Role& role : kRoles) {
    if (arguments.role() != role.name) continue;
    if (role.ends_with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
    // A parent that died before prctl leaves us with another one.
    if (role.ends_with_parent && getppid() != parent) return 1;
    if (role.enters_netns && arguments.Has("netns")) traffic::EnterNetns(arguments.Text("netns"));
    return role.work(arguments);
  }
  std::string names;
  for (const Role& role : kRoles) names += std::string(" ") + role.name;
  traffic::RefuseArguments("the first argument is one of:" + names);
}
