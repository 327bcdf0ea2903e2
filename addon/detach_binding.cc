// detachAll(): arguments and what it throws. No logic.
#include "detach_binding.h"

#include "detach_all.h"
#include "probe_objects.h"
#include "promise.h"

namespace podweir {
namespace {

// On the event loop: its caller has nothing else to do.
Napi::Value DetachEverything(const Napi::CallbackInfo& info) {
  Result<Detached> detached = DetachAll(info[0].ToString().Utf8Value(), info[1].ToBoolean());
  if (detached.ok()) return ToObject(info.Env(), *detached);
  Throw(info.Env(), detached.status);
  return info.Env().Undefined();
}

}  // namespace

Napi::Function DefineDetachAll(Napi::Env env) { return Napi::Function::New<DetachEverything>(env, "detachAll"); }

}  // namespace podweir
