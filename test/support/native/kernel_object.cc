#include "kernel_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <cerrno>

namespace podweir {
namespace {

// linux/bpf.h of 6.6; older headers lack them, the kernel decides.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr uint32_t kBefore = 1U << 3, kAfter = 1U << 4;  // BPF_F_BEFORE, BPF_F_AFTER: of all programs
constexpr uint32_t kHandle = 0x7e57;
constexpr uint32_t kMostPrograms = 64;

int Quiet(enum libbpf_print_level, const char*, va_list) { return 0; }

bpf_attach_type TcxType(bool egress) { return egress ? kTcxEgress : kTcxIngress; }

template <typename Info>
uint32_t IdOf(int fd) {
  Info info{};
  uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

}  // namespace

Result<std::unique_ptr<KernelObject>> KernelObject::Load(const std::string& path,
                                                         const std::map<std::string, uint32_t>& entries) {
  libbpf_set_print(Quiet);
  bpf_object* opened = bpf_object__open(path.c_str());
  if (!opened) return Failed("open", path, errno);
  std::unique_ptr<KernelObject> object(new KernelObject(opened));
  for (auto& [name, count] : entries) {
    bpf_map* map = bpf_object__find_map_by_name(opened, name.c_str());
    if (!map || bpf_map__set_max_entries(map, count)) return Failed("size map", name, map ? EINVAL : ENOENT);
  }
  int error = bpf_object__load(opened);
  if (error) return Failed("load", path, error);
  return object;
}

KernelObject::~KernelObject() {
  links_.clear();
  for (const Filter& filter : filters_)
    namespaces_.In(filter.request.netns, [&] {
      Unhook(filter);
      return Status{};
    });
  bpf_object__close(object_);
}

std::map<std::string, uint32_t> KernelObject::Programs() const {
  std::map<std::string, uint32_t> ids;
  bpf_program* program;
  bpf_object__for_each_program(program, object_) {
    ids[bpf_program__name(program)] = IdOf<bpf_prog_info>(bpf_program__fd(program));
  }
  return ids;
}

std::map<std::string, uint32_t> KernelObject::Maps() const {
  std::map<std::string, uint32_t> ids;
  bpf_map* map;
  bpf_object__for_each_map(map, object_) ids[bpf_map__name(map)] = IdOf<bpf_map_info>(bpf_map__fd(map));
  return ids;
}

Status KernelObject::Hook(const std::string& program, const HookRequest& request) {
  bpf_program* found = bpf_object__find_program_by_name(object_, program.c_str());
  if (!found) return Failed("hook", program, ENOENT);
  return namespaces_.In(request.netns, [&] {
    int index = static_cast<int>(if_nametoindex(request.device.c_str()));
    if (!index) return Failed("hook", request.device, ENODEV);
    int fd = bpf_program__fd(found);
    return request.where == Where::kClsact ? HookClsact(fd, index, request) : HookTcx(fd, index, request);
  });
}

Status KernelObject::HookTcx(int program, int index, const HookRequest& request) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = request.where == Where::kTcxHead ? kBefore : kAfter);
  Fd link(bpf_link_create(program, index, TcxType(request.egress), &options));
  if (!link.valid()) return Failed("hook tcx", request.device, errno);
  links_.push_back(std::move(link));
  return Status{};
}

Status KernelObject::HookClsact(int program, int index, const HookRequest& request) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = index,
              .attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  int error = bpf_tc_hook_create(&hook);
  if (error && error != -EEXIST) return Failed("create clsact", request.device, error);
  filters_.push_back({request, index, !error});
  hook.attach_point = request.egress ? BPF_TC_EGRESS : BPF_TC_INGRESS;
  LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .handle = kHandle, .priority = request.priority);
  error = bpf_tc_attach(&hook, &options);
  return error ? Failed("hook filter", request.device, error) : Status{};
}

void KernelObject::Unhook(const Filter& filter) {
  LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = filter.index,
              .attach_point = filter.request.egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
  LIBBPF_OPTS(bpf_tc_opts, options, .handle = kHandle, .priority = filter.request.priority);
  bpf_tc_detach(&hook, &options);
  if (!filter.created_clsact) return;
  hook.attach_point = static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS);
  bpf_tc_hook_destroy(&hook);
}

Result<std::vector<uint32_t>> ListTcx(const std::string& netns, const std::string& device, bool egress) {
  NamespaceThread namespaces;
  std::vector<uint32_t> ids(kMostPrograms);
  Status status = namespaces.In(netns, [&] {
    int index = static_cast<int>(if_nametoindex(device.c_str()));
    if (!index) return Failed("list tcx", device, ENODEV);
    uint32_t flags = 0, count = kMostPrograms;
    if (bpf_prog_query(index, TcxType(egress), 0, &flags, ids.data(), &count)) return Failed("list tcx", device, errno);
    ids.resize(count);
    return Status{};
  });
  if (!status.ok()) return status;
  return ids;
}

}  // namespace podweir
