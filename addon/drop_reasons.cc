#include "drop_reasons.h"

#include <bpf/btf.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <memory>

namespace podweir {
namespace {

constexpr char kSubject[] = "the kernel's tracepoint kfree_skb";
constexpr char kEnum[] = "skb_drop_reason";
constexpr char kPrefix[] = "SKB_DROP_REASON_";
constexpr char kConsumed[] = "SKB_CONSUMED";
constexpr uint32_t kSubsystemShift = 16;  // include/net/dropreason.h: SKB_DROP_REASON_SUBSYS_SHIFT

// Arguments of the tracepoint as btf_trace_kfree_skb has them, behind its own data pointer.
constexpr int kReason = 3;
constexpr int kReceiver = 4;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};

Status Lacks(const std::string& what) { return Failed("read", kSubject, EOPNOTSUPP, what); }

// nullptr when this kernel has no such tracepoint.
const btf_type* TracepointOf(const btf* types) {
  int id = btf__find_by_name_kind(types, "btf_trace_kfree_skb", BTF_KIND_TYPEDEF);
  if (id < 0) return nullptr;
  const btf_type* pointer = btf__type_by_id(types, btf__type_by_id(types, id)->type);
  const btf_type* function = pointer ? btf__type_by_id(types, pointer->type) : nullptr;
  return function && btf_is_func_proto(function) ? function : nullptr;
}

const btf_type* Argument(const btf* types, const btf_type* function, int index) {
  return index < btf_vlen(function) ? btf__type_by_id(types, btf_params(function)[index].type) : nullptr;
}

bool IsNamed(const btf* types, const btf_type* type, const char* name) {
  return type && !strcmp(btf__name_by_offset(types, type->name_off), name);
}

void ReadNames(const btf* types, const btf_type* reasons, DropReasons& into) {
  const struct btf_enum* values = btf_enum(reasons);
  for (int i = 0; i < btf_vlen(reasons); i++) {
    std::string name = btf__name_by_offset(types, values[i].name_off);
    auto number = static_cast<uint32_t>(values[i].val);
    if (name == kConsumed) into.consumed = number;
    if (name.rfind(kPrefix, 0) != 0) continue;
    name.erase(0, strlen(kPrefix));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char each) { return tolower(each); });
    into.names.emplace(number, name);
  }
}

}  // namespace

std::string DropReasons::NameOf(uint32_t reason) const {
  auto found = names.find(reason);
  if (found != names.end()) return found->second;
  uint32_t subsystem = reason >> kSubsystemShift, number = reason & ((1U << kSubsystemShift) - 1);
  if (!subsystem) return "reason_" + std::to_string(number);
  return "subsystem_" + std::to_string(subsystem) + "_" + std::to_string(number);
}

Result<DropReasons> ReadDropReasons() {
  std::unique_ptr<btf, FreeBtf> types(btf__load_vmlinux_btf());
  if (!types) return Lacks("this kernel does not show its types (no /sys/kernel/btf/vmlinux)");
  const btf_type* function = TracepointOf(types.get());
  if (!function) return Lacks("this kernel has no such tracepoint");
  const btf_type* reasons = Argument(types.get(), function, kReason);
  if (!IsNamed(types.get(), reasons, kEnum) || !btf_is_enum(reasons))
    return Lacks("this kernel's tracepoint names no reason");
  DropReasons found;
  const btf_type* receiver = Argument(types.get(), function, kReceiver);
  if (receiver && btf_is_ptr(receiver))
    found.has_receiver = IsNamed(types.get(), btf__type_by_id(types.get(), receiver->type), "sock");
  ReadNames(types.get(), reasons, found);
  return found;
}

}  // namespace podweir
