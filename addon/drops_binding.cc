// The JS class Drops: argument checks, a thread, promises. No logic.
#include "drops_binding.h"

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "drops.h"
#include "probe_objects.h"
#include "promise.h"
#include "worker.h"

namespace podweir {
namespace {

Napi::Value ToReading(Napi::Env env, DropReading& reading) {
  Napi::Array counts = Napi::Array::New(env, reading.counts.size());
  for (uint32_t i = 0; i < reading.counts.size(); i++) {
    const DropCount& from = reading.counts[i];
    Napi::Object to = Napi::Object::New(env);
    to.Set("watch", from.watch);
    to.Set("reason", from.reason);
    to.Set("packets", static_cast<double>(from.packets));
    counts.Set(i, to);
  }
  Napi::Object to = Napi::Object::New(env);
  to.Set("counts", counts);
  to.Set("uncounted", static_cast<double>(reading.uncounted));
  return to;
}

}  // namespace

class DropsBinding : public Napi::ObjectWrap<DropsBinding> {
 public:
  explicit DropsBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DropsBinding>(info) {}

  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Drops",
                       {InstanceMethod<&DropsBinding::Load>("load"), InstanceMethod<&DropsBinding::Watch>("watch"),
                        InstanceMethod<&DropsBinding::Unwatch>("unwatch"), InstanceMethod<&DropsBinding::Read>("read"),
                        InstanceMethod<&DropsBinding::Close>("close")});
  }

 private:
  static Status NotLoaded() { return Failed("use", "drops", EBADF, "it is not loaded, or closed"); }

  Napi::Value Load(const Napi::CallbackInfo& info) {
    bool as_before_6_11 = info[0].ToBoolean();
    return Promise(Value(), worker_, [this, as_before_6_11] {
      Result<std::unique_ptr<Drops>> drops = Drops::Load(as_before_6_11);
      if (drops.ok()) drops_ = std::move(*drops);
      return SettleBy(drops.status);
    });
  }

  Napi::Value Watch(const Napi::CallbackInfo& info) {
    AttachRequest interface = ToAttachRequest(info[0].As<Napi::Object>());
    return Promise(Value(), worker_, [this, interface] {
      return SettleBy<uint32_t>(
          drops_ ? drops_->Watch(interface) : NotLoaded(),
          [](Napi::Env env, uint32_t& watch) -> Napi::Value { return Napi::Number::New(env, watch); });
    });
  }

  Napi::Value Unwatch(const Napi::CallbackInfo& info) {
    uint32_t watch = info[0].ToNumber().Uint32Value();
    return Promise(Value(), worker_, [this, watch] { return SettleBy(drops_ ? drops_->Unwatch(watch) : NotLoaded()); });
  }

  Napi::Value Read(const Napi::CallbackInfo&) {
    return Promise(Value(), worker_,
                   [this] { return SettleBy<DropReading>(drops_ ? drops_->Read() : NotLoaded(), ToReading); });
  }

  Napi::Value Close(const Napi::CallbackInfo&) {
    return Promise(Value(), worker_, [this] {
      drops_.reset();
      return SettleBy(Status{});
    });
  }

  std::unique_ptr<Drops> drops_;
  // Last, so that it is joined before anything it uses goes.
  Worker worker_{"podweir-drops"};
};

Napi::Function DefineDrops(Napi::Env env) { return DropsBinding::Define(env); }

}  // namespace podweir
