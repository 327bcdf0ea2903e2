// capabilities() and dropPrivileges(): sets of capabilities as numbers, a bit each. No logic.
#include "privileges_binding.h"

#include "privileges.h"
#include "promise.h"

namespace podweir {
namespace {

uint64_t SetOf(const Napi::Value& value) { return static_cast<uint64_t>(value.ToNumber().Int64Value()); }

Napi::Value ToCapabilities(const Napi::CallbackInfo& info) {
  Capabilities held = ReadCapabilities();
  Napi::Object to = Napi::Object::New(info.Env());
  to.Set("effective", static_cast<double>(held.effective));
  to.Set("permitted", static_cast<double>(held.permitted));
  return to;
}

// On the event loop's thread, which is one of those that let go.
Napi::Value Drop(const Napi::CallbackInfo& info) {
  Status status = DropPrivileges(SetOf(info[0]), SetOf(info[1]));
  if (!status.ok()) Throw(info.Env(), status);
  return info.Env().Undefined();
}

}  // namespace

void ExportPrivileges(Napi::Env env, Napi::Object exports) {
  exports.Set("capabilities", Napi::Function::New(env, ToCapabilities, "capabilities"));
  exports.Set("dropPrivileges", Napi::Function::New(env, Drop, "dropPrivileges"));
}

}  // namespace podweir
