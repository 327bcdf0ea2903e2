// The JS class Probe: argument checks, threads, promises. No logic.
#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "detach_all.h"
#include "doctor_binding.h"
#include "discovery_binding.h"
#include "drain.h"
#include "drops_binding.h"
#include "flow_batch.h"
#include "probe.h"
#include "probe_objects.h"
#include "privileges_binding.h"
#include "promise.h"
#include "worker.h"

namespace podweir {
namespace {

using Finish = std::function<void(Napi::Env, Napi::Promise::Deferred&)>;

}  // namespace

class ProbeBinding : public Napi::ObjectWrap<ProbeBinding> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "Probe",
        {InstanceMethod<&ProbeBinding::Load>("load"), InstanceMethod<&ProbeBinding::Attach>("attach"),
         InstanceMethod<&ProbeBinding::Reattach>("reattach"), InstanceMethod<&ProbeBinding::Detach>("detach"),
         InstanceMethod<&ProbeBinding::DetachUnclaimed>("detachUnclaimed"),
         InstanceMethod<&ProbeBinding::SetOutOfScope>("setOutOfScope"),
         InstanceMethod<&ProbeBinding::DrainNow>("drain"), InstanceMethod<&ProbeBinding::Commit>("commit"),
         InstanceMethod<&ProbeBinding::SaveLedger>("saveLedger"), InstanceMethod<&ProbeBinding::Links>("links"),
         InstanceMethod<&ProbeBinding::Namespaces>("namespaces"), InstanceMethod<&ProbeBinding::Survey>("survey"),
         InstanceMethod<&ProbeBinding::Addresses>("addresses"), InstanceMethod<&ProbeBinding::Inspect>("inspect"),
         InstanceMethod<&ProbeBinding::EnableStatistics>("enableStatistics"),
         InstanceMethod<&ProbeBinding::DisableStatistics>("disableStatistics"),
         InstanceMethod<&ProbeBinding::TimeInPrograms>("programTime"),
         InstanceMethod<&ProbeBinding::SetTcpDetail>("setTcpDetail"), InstanceMethod<&ProbeBinding::Close>("close")});
  }

  explicit ProbeBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProbeBinding>(info) {
    std::string wrong = ReadOptions(info[0], options_, drain_options_);
    if (!wrong.empty()) Napi::TypeError::New(info.Env(), wrong).ThrowAsJavaScriptException();
  }

 private:
  struct Call {
    ProbeBinding* self;
    Napi::Promise::Deferred deferred;
    Finish finish;
  };
  static void Deliver(Napi::Env env, Napi::Function, std::nullptr_t*, Call* call) {
    std::unique_ptr<Call> owned(call);
    if (!env) return;
    Napi::HandleScope scope(env);
    call->finish(env, call->deferred);
    call->self->Unref();
  }
  using Done = Napi::TypedThreadSafeFunction<std::nullptr_t, Call, Deliver>;

  // Runs `work` on `worker`; what it returns settles the promise, back on the event loop. The way back lives as long as
  // the call, so that a waiting call keeps the process alive and an idle probe does not.
  Napi::Value Run(Napi::Env env, Worker& worker, std::function<Finish()> work) {
    auto* call = new Call{this, Napi::Promise::Deferred::New(env), nullptr};
    Napi::Value promise = call->deferred.Promise();
    Done done = Done::New(env, "podweir", 0, 1);
    Ref();
    worker.Submit([call, done, work = std::move(work)]() mutable {
      call->finish = work();
      done.NonBlockingCall(call);
      done.Release();
    });
    return promise;
  }

  template <typename T>
  Napi::Value RunFor(Napi::Env env, Worker& worker, std::function<Result<T>(Probe&)> work,
                     std::function<Napi::Value(Napi::Env, T&)> convert) {
    return Run(env, worker, [this, work = std::move(work), convert = std::move(convert)]() -> Finish {
      std::shared_ptr<Result<T>> result =
          probe_ ? std::make_shared<Result<T>>(work(*probe_))
                 : std::make_shared<Result<T>>(Failed("use", "probe", EBADF, "it is not loaded, or closed"));
      return [result, convert](Napi::Env env, Napi::Promise::Deferred& deferred) {
        if (result->ok()) deferred.Resolve(convert(env, **result));
        else deferred.Reject(RejectionOf(env, result->status));
      };
    });
  }

  static Finish Settle(const Status& status) {
    return [status](Napi::Env env, Napi::Promise::Deferred& deferred) {
      if (status.ok()) deferred.Resolve(env.Undefined());
      else deferred.Reject(RejectionOf(env, status));
    };
  }

  Napi::Value Load(const Napi::CallbackInfo& info) {
    return Run(info.Env(), control_, [this]() -> Finish {
      Result<std::unique_ptr<Probe>> probe = Probe::Load(options_);
      if (!probe.ok()) return Settle(probe.status);
      probe_ = std::move(*probe);
      drain_ = std::make_unique<Drain>(*probe_, drain_options_);
      return [this](Napi::Env env, Napi::Promise::Deferred& deferred) {
        deferred.Resolve(ToObject(env, probe_->adoption()));
      };
    });
  }

  Napi::Value Attach(const Napi::CallbackInfo& info) {
    AttachRequest request = ToAttachRequest(info[0].As<Napi::Object>());
    return RunFor<AttachmentInfo>(
        info.Env(), control_, [request](Probe& probe) { return probe.Attach(request); },
        [](Napi::Env env, AttachmentInfo& attached) -> Napi::Value { return ToObject(env, attached); });
  }

  Napi::Value Reattach(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return RunFor<bool>(
        info.Env(), control_, [slot](Probe& probe) { return probe.Reattach(slot); },
        [](Napi::Env env, bool& was_missing) -> Napi::Value { return Napi::Boolean::New(env, was_missing); });
  }

  Napi::Value Detach(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return Run(info.Env(), control_, [this, slot]() -> Finish {
      return Settle(probe_ ? probe_->Detach(slot) : Failed("detach", std::to_string(slot), EBADF));
    });
  }

  Napi::Value SetOutOfScope(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    bool out = info[1].ToBoolean();
    return Run(info.Env(), control_, [this, slot, out]() -> Finish {
      return Settle(probe_ ? probe_->SetOutOfScope(slot, out)
                           : Failed("set the scope of", std::to_string(slot), EBADF));
    });
  }

  Napi::Value DrainNow(const Napi::CallbackInfo& info) {
    uint32_t mark = info[0].ToNumber().Uint32Value();
    return RunFor<DrainResult>(
        info.Env(), draining_, [this, mark](Probe&) -> Result<DrainResult> { return drain_->Run(mark); },
        [](Napi::Env env, DrainResult& result) -> Napi::Value { return ToBatch(env, result); });
  }

  Napi::Value DetachUnclaimed(const Napi::CallbackInfo& info) {
    return Run(info.Env(), control_, [this]() -> Finish {
      if (probe_) probe_->DetachUnclaimed();
      return Settle(Status{});
    });
  }

  // What is pinned is written by the thread that drains, and by no other.
  Napi::Value Commit(const Napi::CallbackInfo& info) {
    uint32_t mark = info[0].ToNumber().Uint32Value();
    std::string memo = info[1].ToString().Utf8Value();
    return Run(info.Env(), draining_, [this, mark, memo = std::move(memo)]() -> Finish {
      return Settle(probe_ && probe_->journal() ? probe_->journal()->Commit(mark, memo) : Status{});
    });
  }

  Napi::Value SaveLedger(const Napi::CallbackInfo& info) {
    uint32_t sequence = info[0].ToNumber().Uint32Value();
    std::string memo = info[1].ToString().Utf8Value();
    return Run(info.Env(), draining_, [this, sequence, memo = std::move(memo)]() -> Finish {
      return Settle(probe_ && probe_->journal() ? probe_->journal()->SaveLedger(sequence, memo) : Status{});
    });
  }

  Napi::Value Links(const Napi::CallbackInfo& info) {
    std::string netns = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
    return RunFor<std::vector<Link>>(
        info.Env(), control_, [netns](Probe& probe) { return probe.Links(netns); },
        [](Napi::Env env, std::vector<Link>& links) -> Napi::Value { return ToArray(env, links); });
  }

  Napi::Value Namespaces(const Napi::CallbackInfo& info) {
    return RunFor<std::vector<NamespaceEntry>>(
        info.Env(), control_, [](Probe&) -> Result<std::vector<NamespaceEntry>> { return ListNamespaces(); },
        [](Napi::Env env, std::vector<NamespaceEntry>& entries) -> Napi::Value { return ToArray(env, entries); });
  }

  Napi::Value Survey(const Napi::CallbackInfo& info) {
    return RunFor<podweir::Survey>(
        info.Env(), control_, [](Probe& probe) { return probe.TakeSurvey(); },
        [](Napi::Env env, podweir::Survey& survey) -> Napi::Value { return ToObject(env, survey); });
  }

  Napi::Value Addresses(const Napi::CallbackInfo& info) {
    int namespace_id = info[0].ToNumber().Int32Value();
    return RunFor<std::vector<DeviceAddress>>(
        info.Env(), control_, [namespace_id](Probe&) { return ListAddresses(namespace_id); },
        [](Napi::Env env, std::vector<DeviceAddress>& addresses) -> Napi::Value { return ToArray(env, addresses); });
  }

  Napi::Value Inspect(const Napi::CallbackInfo& info) {
    return RunFor<Inspection>(
        info.Env(), control_, [](Probe& probe) -> Result<Inspection> { return probe.Inspect(); },
        [](Napi::Env env, Inspection& inspection) -> Napi::Value {
          Napi::Object to = Napi::Object::New(env);
          to.Set("programs", ToArray(env, inspection.programs));
          to.Set("maps", ToArray(env, inspection.maps));
          return to;
        });
  }

  Napi::Value EnableStatistics(const Napi::CallbackInfo& info) {
    return Run(info.Env(), control_, [this]() -> Finish {
      return Settle(probe_ ? probe_->EnableStatistics() : Failed("enable statistics", "probe", EBADF));
    });
  }

  Napi::Value DisableStatistics(const Napi::CallbackInfo& info) {
    return Run(info.Env(), control_, [this]() -> Finish {
      if (probe_) probe_->DisableStatistics();
      return Settle(Status{});
    });
  }

  Napi::Value TimeInPrograms(const Napi::CallbackInfo& info) {
    return RunFor<ProgramTime>(
        info.Env(), control_, [](Probe& probe) -> Result<ProgramTime> { return probe.TimeInPrograms(); },
        [](Napi::Env env, ProgramTime& time) -> Napi::Value { return ToObject(env, time); });
  }

  Napi::Value SetTcpDetail(const Napi::CallbackInfo& info) {
    bool on = info[0].ToBoolean();
    return Run(info.Env(), control_, [this, on]() -> Finish {
      if (!probe_) return Settle(Failed("set TCP detail", "probe", EBADF));
      probe_->SetTcpDetail(on);
      return Settle(Status{});
    });
  }

  // Both threads may hold the probe: the control thread takes it away while the drain thread waits.
  Napi::Value Close(const Napi::CallbackInfo& info) {
    bool keep = info[0].ToBoolean();
    return Run(info.Env(), control_, [this, keep]() -> Finish {
      draining_.Run([this, keep] {
        if (keep && probe_) probe_->Keep();
        drain_.reset();
        probe_.reset();
      });
      return Settle(Status{});
    });
  }

  ProbeOptions options_;
  DrainOptions drain_options_;
  std::unique_ptr<Probe> probe_;
  std::unique_ptr<Drain> drain_;
  // Last, so that they are joined before anything they use goes.
  Worker control_{"podweir-control"};
  Worker draining_{"podweir-drain"};
};

namespace {

// On the event loop: its caller has nothing else to do.
Napi::Value DetachEverything(const Napi::CallbackInfo& info) {
  Result<Detached> detached = DetachAll(info[0].ToString().Utf8Value(), info[1].ToBoolean());
  if (detached.ok()) return ToObject(info.Env(), *detached);
  Throw(info.Env(), detached.status);
  return info.Env().Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Probe", ProbeBinding::Define(env));
  exports.Set("Drops", DefineDrops(env));
  exports.Set("detachAll", Napi::Function::New<DetachEverything>(env, "detachAll"));
  exports.Set("Watch", DefineWatch(env));
  exports.Set("flowAbi", FLOW_ABI);
  ExportPrivileges(env, exports);
  ExportDoctor(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(podweir, Init)

}  // namespace podweir
