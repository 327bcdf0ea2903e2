// The first and only process of a guest: mounts what is needed, asks its questions, says what it found, powers off.
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "checks.h"
#include "kernel_state.h"

namespace podweir {
namespace {

constexpr int kDropsWire = 100;                  // behind those of the other checks
constexpr int kChurnWires = 120;                 // and as many as it takes
constexpr int kCompressed = 4;                   // MODULE_INIT_COMPRESSED_FILE
constexpr unsigned kBroken = 1U << 7 | 1U << 9;  // taints: died, warned

void MountAll() {
  const struct {
    const char *type, *place;
  } mounts[] = {{"proc", "/proc"},
                {"sysfs", "/sys"},
                {"tmpfs", "/run"},
                {"bpf", "/sys/fs/bpf"},
                {"tracefs", "/sys/kernel/tracing"}};
  for (const auto& each : mounts) {
    mkdir(each.place, 0755);
    if (mount(each.type, each.place, each.type, 0, nullptr)) perror(each.place);
  }
}

// Each is named so that what it needs comes before it.
void InsertModules(Report& report) {
  dirent** entries = nullptr;
  int count = scandir("/modules", &entries, nullptr, alphasort);
  for (int i = 0; i < count; i++) {
    std::string name = entries[i]->d_name;
    if (name[0] == '.') continue;
    Fd file(open(("/modules/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    int flags = name.ends_with(".ko") ? 0 : kCompressed;
    if (syscall(SYS_finit_module, file.get(), "", flags)) report.Remark(name + ": " + strerror(errno));
  }
}

bool IsAtLeast(const char* release, int major, int minor) {
  int has_major = 0, has_minor = 0;
  sscanf(release, "%d.%d", &has_major, &has_minor);
  return has_major > major || (has_major == major && has_minor >= minor);
}

unsigned Taints() {
  FILE* file = fopen("/proc/sys/kernel/tainted", "re");
  unsigned taints = 0;
  if (!file || fscanf(file, "%u", &taints) != 1) taints = ~0U;
  if (file) fclose(file);
  return taints;
}

bool HasDropReasons() {
  FILE* file = fopen("/sys/kernel/tracing/events/skb/kfree_skb/format", "re");
  char line[512];
  bool found = false;
  while (file && fgets(line, sizeof(line), file)) found |= strstr(line, " reason;") != nullptr;
  if (file) fclose(file);
  return found;
}

void AskWithProbe(Guest& guest, const Result<Wire>& killed) {
  if (killed.ok()) CheckKilledAgent(guest, *killed.value);
  int wire = 1;
  for (Hook hook : {Hook::kClsact, Hook::kTcx})
    for (Place place : {Place::kPod, Place::kHost}) CheckHook(guest, hook, place, ++wire);
  CheckTable(guest, ++wire);
  CheckCorpus(guest, ++wire, "/corpus");
  CheckChurn(guest, kChurnWires);
}

void AskAll(Report& report, bool has_tcx, bool wants_perfmon) {
  Wires wires;
  BpfObjects before = CountBpfObjects();
  unsigned taints = Taints();
  Result<Wire> killed = wires.Make(1);
  if (killed.ok()) LeaveKilledAgent(*killed);
  if (std::unique_ptr<Probe> probe = CheckLoading(report, wants_perfmon)) {
    Guest guest{report, wires, has_tcx, probe.get()};
    AskWithProbe(guest, killed);
  }
  CheckDrops(report, wires, HasDropReasons(), kDropsWire);
  CheckDns(report, wires, kDropsWire + 2);
  CheckRestart(report, wires, kDropsWire + 1);
  BpfObjects after;
  bool gone = Becomes([&] { return (after = CountBpfObjects()) == before; });
  report.Check("leaves no program, map or link behind", gone,
               std::to_string(after.programs) + " programs, " + std::to_string(after.maps) + " maps, " +
                   std::to_string(after.links) + " links");
  report.Check("makes the kernel complain of nothing", !((taints ^ Taints()) & kBroken),
               "it is tainted by a warning or worse");
}

}  // namespace
}  // namespace podweir

int main() {
  using namespace podweir;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  MountAll();
  utsname name{};
  uname(&name);
  Report report;
  // The firmware leaves its last line open.
  printf("\n");
  report.Figure("release", name.release);
  InsertModules(report);
  AskAll(report, IsAtLeast(name.release, 6, 6), !IsAtLeast(name.release, 6, 12));
  printf("end\n");
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
}
