// Whether the verifier takes every program, and how many instructions it walks to know.
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "checks.h"
#include "dns_tap.h"
#include "flow.skel.h"
#include "privileges.h"

namespace podweir {
namespace {

constexpr uint32_t kStatisticsOnly = 4;  // log_level: the last line alone. Kernels before 5.16 say it nowhere else.
constexpr uint32_t kEverything = 1;
constexpr size_t kStatisticsBytes = 64 * 1024, kEverythingBytes = 16 << 20;
constexpr int kLastLines = 40;
constexpr uint32_t kFlowLimit = 4096;

struct Verified {
  int error = 0;
  std::string log;
};

std::vector<std::string> ProgramNames() {
  std::vector<std::string> names;
  flow_bpf* skeleton = flow_bpf::open();
  bpf_program* program;
  bpf_object__for_each_program(program, skeleton->obj) names.push_back(bpf_program__name(program));
  flow_bpf::destroy(skeleton);
  return names;
}

// One program of the object, loaded to be measured and thrown away.
Verified Verify(const std::string& name, uint32_t log_level, size_t log_bytes) {
  Verified verified;
  std::string log(log_bytes, '\0');
  size_t size = 0;
  const void* bytes = flow_bpf::elf_bytes(&size);
  bpf_object* object = bpf_object__open_mem(bytes, size, nullptr);
  if (!object) return {errno, "not opened"};
  bpf_program* program;
  bpf_object__for_each_program(program, object) {
    bool chosen = bpf_program__name(program) == name;
    bpf_program__set_autoload(program, chosen);
    if (!chosen) continue;
    bpf_program__set_log_level(program, log_level);
    bpf_program__set_log_buf(program, log.data(), log.size());
  }
  verified.error = -bpf_object__load(object);
  bpf_object__close(object);
  verified.log = log.c_str();
  return verified;
}

// `processed 12109 insns (limit 1000000) …`; kernels from 7.0 on say the number twice, on two lines.
std::string Processed(const std::string& log) {
  size_t at = log.rfind("processed ");
  return at == std::string::npos ? "" : std::to_string(strtoul(log.c_str() + at + strlen("processed "), nullptr, 10));
}

std::string End(const std::string& log) {
  size_t at = log.size();
  for (int lines = 0; at > 0 && lines <= kLastLines; at--) lines += log[at - 1] == '\n';
  return log.substr(at);
}

// In a process of its own: who has let go of a capability never has it again.
bool LoadsWithLittle(Report& report, bool wants_perfmon) {
  pid_t child = fork();
  if (!child) {
    // As the agent does before it lets go: kernels before 5.11 charge maps to it.
    rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited);
    int error = KeepOnly(1ULL << CAP_BPF | 1ULL << CAP_NET_ADMIN | uint64_t{wants_perfmon} << CAP_PERFMON);
    Status dns;
    auto open_tap = [&dns](const DispatcherMaps& maps, NamespaceThread& loading) {
      return OpenDnsTap(maps, loading, dns);
    };
    Result<std::unique_ptr<Probe>> probe = Probe::Load({.flow_limit = kFlowLimit, .open_tap = open_tap});
    if (!probe.ok()) report.Remark("with few capabilities: " + probe.status.detail);
    if (!dns.ok()) report.Remark("with few capabilities: " + dns.detail);
    fflush(stdout);
    _exit(error || !probe.ok() || !dns.ok());
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

}  // namespace

std::unique_ptr<Probe> CheckLoading(Report& report, bool wants_perfmon) {
  for (const std::string& name : ProgramNames()) {
    Verified verified = Verify(name, kStatisticsOnly, kStatisticsBytes);
    if (!verified.error) {
      report.Figure("verified:" + name, Processed(verified.log));
      continue;
    }
    report.Figure("verified:" + name, "refused");
    report.Remark(name + ", the end of the verifier's log:");
    report.Remark(End(Verify(name, kEverything, kEverythingBytes).log));
  }
  bool with_little = LoadsWithLittle(report, wants_perfmon);
  Result<std::unique_ptr<Probe>> probe = Probe::Load({.flow_limit = kFlowLimit});
  if (!report.Check("loads every program", probe.status)) return nullptr;
  report.Check("loads them with the capabilities of mode restricted", with_little, "the verifier says why above");
  return std::move(*probe);
}

}  // namespace podweir
