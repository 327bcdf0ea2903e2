#include "filters.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include "chain.h"
#include "handle.h"

namespace podweir {

std::string ProgramName(uint32_t program_id) {
  Fd program(bpf_prog_get_fd_by_id(program_id));
  bpf_prog_info info{};
  uint32_t size = sizeof(info);
  if (!program.valid() || bpf_obj_get_info_by_fd(program.get(), &info, &size)) return "";
  return info.name;
}

std::vector<FilterPlace> FiltersOfOurs(int index, bool egress) {
  std::vector<FilterPlace> found;
  bpf_tc_hook hook = HookOf(index, egress);
  for (uint32_t handle : {kOwnersHandle, kGuestsHandle}) {
    for (uint32_t priority = 1; priority <= kLastPriority; priority++) {
      uint32_t program_id = ProgramAt(hook, handle, priority);
      if (program_id && IsOurs(ProgramName(program_id))) found.push_back({handle, priority, program_id});
    }
  }
  return found;
}

bool RemoveFilter(int index, bool egress, const FilterPlace& place) {
  bpf_tc_hook hook = HookOf(index, egress);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = place.handle, .priority = place.priority);
  return !bpf_tc_detach(&hook, &options);
}

bool RemoveClsactOf(int index) {
  bpf_tc_hook both = HookOf(index, false);
  both.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  return !bpf_tc_hook_destroy(&both);
}

}  // namespace podweir
