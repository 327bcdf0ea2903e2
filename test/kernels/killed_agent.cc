// An agent that was killed leaves its filters behind; the next one must find them and count once.
#include <sys/wait.h>
#include <unistd.h>

#include "account.h"
#include "checks.h"
#include "drain.h"
#include "kernel_state.h"

namespace podweir {

void LeaveKilledAgent(const Wire& wire) {
  pid_t agent = fork();
  if (agent) {
    waitpid(agent, nullptr, 0);
    return;
  }
  // No destructor runs, as none does after SIGKILL.
  Result<std::unique_ptr<Probe>> probe = Probe::Load({.flow_limit = 64});
  _exit(probe.ok() && (*probe)->Attach({wire.netns, "eth0", Place::kPod, Hook::kClsact}).ok() ? 0 : 1);
}

void CheckKilledAgent(Guest& guest, const Wire& wire) {
  constexpr char kChooses[] = "chooses the best hook that there is";
  constexpr char kTakesOver[] = "takes over from an agent that was killed";
  NamespaceThread& namespaces = guest.wires.namespaces();
  Hooked left = WhatIsHooked(namespaces, wire.netns, "eth0");
  if (left.filters != DIRECTIONS)
    return guest.report.NotOk(kTakesOver, "the killed agent left " + std::to_string(left.filters) + " filters");
  Drain drain(*guest.probe, NothingRetires());
  Result<AttachmentInfo> attached = guest.probe->Attach({wire.netns, "eth0"});
  if (!attached.ok()) return guest.report.NotOk(kTakesOver, Words(attached.status));
  Hook best = guest.has_tcx ? Hook::kTcx : Hook::kClsact;
  guest.report.Check(kChooses, attached->hook == best, "it chose the other");
  Hooked now = WhatIsHooked(namespaces, wire.netns, "eth0");
  int ours = guest.has_tcx ? now.tcx_programs : now.filters, theirs = guest.has_tcx ? now.filters : now.tcx_programs;
  guest.probe->Detach(attached->slot);
  drain.Run();
  Hooked after = WhatIsHooked(namespaces, wire.netns, "eth0");
  guest.report.Check(
      kTakesOver,
      attached->replaced_stale && ours == DIRECTIONS && !theirs && after.qdisc.empty() && !after.tcx_programs,
      "hooked " + std::to_string(ours) + " of ours and " + std::to_string(theirs) + " others, left " + after.qdisc);
}

}  // namespace podweir
