// A BPF object file of the tests or benches: loaded, its programs and maps named, hooked where asked, gone when closed.
#ifndef PODWEIR_KERNEL_OBJECT_H
#define PODWEIR_KERNEL_OBJECT_H

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "handle.h"
#include "namespace.h"
#include "status.h"

struct bpf_object;

namespace podweir {

enum class Where { kTcxHead, kTcxTail, kClsact };

struct HookRequest {
  std::string netns;  // path, empty for the process's own
  std::string device;
  bool egress = false;
  Where where = Where::kTcxTail;
  uint32_t priority = 1;  // clsact
};

class KernelObject {
 public:
  // Opens the file and loads it; `entries` sets the size of the maps that it names.
  static Result<std::unique_ptr<KernelObject>> Load(const std::string& path,
                                                    const std::map<std::string, uint32_t>& entries);
  ~KernelObject();
  KernelObject(const KernelObject&) = delete;
  KernelObject& operator=(const KernelObject&) = delete;

  // Ids by name.
  std::map<std::string, uint32_t> Programs() const;
  std::map<std::string, uint32_t> Maps() const;
  Status Hook(const std::string& program, const HookRequest& request);

 private:
  struct Filter {
    HookRequest request;
    int index = 0;
    bool created_clsact = false;
  };

  explicit KernelObject(bpf_object* object) : object_(object) {}

  Status HookTcx(int program, int index, const HookRequest& request);
  Status HookClsact(int program, int index, const HookRequest& request);
  static void Unhook(const Filter& filter);

  bpf_object* object_;
  NamespaceThread namespaces_;
  std::vector<Fd> links_;
  std::vector<Filter> filters_;
};

// The ids of the tcx programs of one device and direction, from first to last.
Result<std::vector<uint32_t>> ListTcx(const std::string& netns, const std::string& device, bool egress);

}  // namespace podweir

#endif
