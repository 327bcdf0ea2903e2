// The JS class Probe: argument checks, threads, promises. No logic.
#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "detach_all.h"
#include "doctor_binding.h"
#include "discovery_binding.h"
#include "dns_batch.h"
#include "dns_tap.h"
#include "drain.h"
#include "drops_binding.h"
#include "flow_batch.h"
#include "probe.h"
#include "probe_objects.h"
#include "privileges_binding.h"
#include "promise.h"
#include "worker.h"

namespace podweir {

class ProbeBinding : public Napi::ObjectWrap<ProbeBinding> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Probe",
                       {InstanceMethod<&ProbeBinding::Load>("load"),
                        InstanceMethod<&ProbeBinding::Attach>("attach"),
                        InstanceMethod<&ProbeBinding::Reattach>("reattach"),
                        InstanceMethod<&ProbeBinding::Detach>("detach"),
                        InstanceMethod<&ProbeBinding::DetachUnclaimed>("detachUnclaimed"),
                        InstanceMethod<&ProbeBinding::Release>("release"),
                        InstanceMethod<&ProbeBinding::SetOutOfScope>("setOutOfScope"),
                        InstanceMethod<&ProbeBinding::DrainNow>("drain"),
                        InstanceMethod<&ProbeBinding::Commit>("commit"),
                        InstanceMethod<&ProbeBinding::SaveLedger>("saveLedger"),
                        InstanceMethod<&ProbeBinding::Links>("links"),
                        InstanceMethod<&ProbeBinding::LinksOf>("linksOf"),
                        InstanceMethod<&ProbeBinding::Namespaces>("namespaces"),
                        InstanceMethod<&ProbeBinding::Survey>("survey"),
                        InstanceMethod<&ProbeBinding::Addresses>("addresses"),
                        InstanceMethod<&ProbeBinding::Inspect>("inspect"),
                        InstanceMethod<&ProbeBinding::EnableStatistics>("enableStatistics"),
                        InstanceMethod<&ProbeBinding::DisableStatistics>("disableStatistics"),
                        InstanceMethod<&ProbeBinding::TimeInPrograms>("programTime"),
                        InstanceMethod<&ProbeBinding::SetTcpDetail>("setTcpDetail"),
                        InstanceMethod<&ProbeBinding::OpenDns>("openDns"),
                        InstanceMethod<&ProbeBinding::ReadDns>("readDns"),
                        InstanceMethod<&ProbeBinding::Close>("close")});
  }

  explicit ProbeBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ProbeBinding>(info) {
    std::string wrong = ReadOptions(info[0], options_, drain_options_);
    if (!wrong.empty()) Napi::TypeError::New(info.Env(), wrong).ThrowAsJavaScriptException();
    if (wrong.empty() && info[0].As<Napi::Object>().Get("dns").ToBoolean())
      options_.open_tap = [this](const DispatcherMaps& maps, NamespaceThread& loading) {
        return OpenDnsTap(maps, loading, dns_status_);
      };
  }

 private:
  template <typename T>
  Napi::Value RunFor(Worker& worker, std::function<Result<T>(Probe&)> work,
                     std::function<Napi::Value(Napi::Env, T&)> convert) {
    return Promise(Value(), worker, [this, work = std::move(work), convert = std::move(convert)] {
      return SettleBy<T>(probe_ ? work(*probe_) : Failed("use", "probe", EBADF, "it is not loaded, or closed"),
                         convert);
    });
  }

  Napi::Value Load(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this]() -> Settle {
      Result<std::unique_ptr<Probe>> probe = Probe::Load(options_);
      if (!probe.ok()) return SettleBy(probe.status);
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
        control_, [request](Probe& probe) { return probe.Attach(request); },
        [](Napi::Env env, AttachmentInfo& attached) -> Napi::Value { return ToObject(env, attached); });
  }

  Napi::Value Reattach(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return RunFor<bool>(
        control_, [slot](Probe& probe) { return probe.Reattach(slot); },
        [](Napi::Env env, bool& was_missing) -> Napi::Value { return Napi::Boolean::New(env, was_missing); });
  }

  Napi::Value Detach(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return Promise(Value(), control_, [this, slot] {
      return SettleBy(probe_ ? probe_->Detach(slot) : Failed("detach", std::to_string(slot), EBADF));
    });
  }

  Napi::Value Release(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return Promise(Value(), control_, [this, slot] {
      return SettleBy(probe_ ? probe_->Release(slot) : Failed("release", std::to_string(slot), EBADF));
    });
  }

  Napi::Value SetOutOfScope(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    bool out = info[1].ToBoolean();
    return Promise(Value(), control_, [this, slot, out] {
      return SettleBy(probe_ ? probe_->SetOutOfScope(slot, out)
                             : Failed("set the scope of", std::to_string(slot), EBADF));
    });
  }

  Napi::Value DrainNow(const Napi::CallbackInfo& info) {
    uint32_t mark = info[0].ToNumber().Uint32Value();
    return RunFor<DrainResult>(
        draining_, [this, mark](Probe&) -> Result<DrainResult> { return drain_->Run(mark); },
        [this](Napi::Env env, DrainResult& result) -> Napi::Value { return ToBatch(env, result, empty_); });
  }

  Napi::Value DetachUnclaimed(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this] {
      if (probe_) probe_->DetachUnclaimed();
      return SettleBy(Status{});
    });
  }

  // What is pinned is written by the thread that drains, and by no other.
  Napi::Value Commit(const Napi::CallbackInfo& info) {
    uint32_t mark = info[0].ToNumber().Uint32Value();
    std::string memo = info[1].ToString().Utf8Value();
    return Promise(Value(), draining_, [this, mark, memo = std::move(memo)] {
      return SettleBy(probe_ && probe_->journal() ? probe_->journal()->Commit(mark, memo) : Status{});
    });
  }

  Napi::Value SaveLedger(const Napi::CallbackInfo& info) {
    uint32_t sequence = info[0].ToNumber().Uint32Value();
    std::string memo = info[1].ToString().Utf8Value();
    return Promise(Value(), draining_, [this, sequence, memo = std::move(memo)] {
      return SettleBy(probe_ && probe_->journal() ? probe_->journal()->SaveLedger(sequence, memo) : Status{});
    });
  }

  Napi::Value Links(const Napi::CallbackInfo& info) {
    std::string netns = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
    return RunFor<std::vector<Link>>(
        control_, [netns](Probe& probe) { return probe.Links(netns); },
        [](Napi::Env env, std::vector<Link>& links) -> Napi::Value { return ToArray(env, links); });
  }

  // An array of links for each namespace, or the Error that it can't be looked into with.
  Napi::Value LinksOf(const Napi::CallbackInfo& info) {
    using Dumps = std::vector<Result<std::vector<Link>>>;
    auto from = info[0].As<Napi::Array>();
    std::vector<std::string> netns;
    for (uint32_t i = 0; i < from.Length(); i++) netns.push_back(from.Get(i).ToString().Utf8Value());
    return RunFor<Dumps>(
        control_, [netns = std::move(netns)](Probe& probe) -> Result<Dumps> { return probe.LinksOf(netns); },
        [](Napi::Env env, Dumps& dumps) -> Napi::Value {
          Napi::Array to = Napi::Array::New(env, dumps.size());
          for (uint32_t i = 0; i < dumps.size(); i++)
            to.Set(i, dumps[i].ok() ? ToArray(env, *dumps[i]) : RejectionOf(env, dumps[i].status));
          return to;
        });
  }

  Napi::Value Namespaces(const Napi::CallbackInfo&) {
    return RunFor<std::vector<NamespaceEntry>>(
        control_, [](Probe&) -> Result<std::vector<NamespaceEntry>> { return ListNamespaces(); },
        [](Napi::Env env, std::vector<NamespaceEntry>& entries) -> Napi::Value { return ToArray(env, entries); });
  }

  Napi::Value Survey(const Napi::CallbackInfo&) {
    return RunFor<podweir::Survey>(
        control_, [](Probe& probe) { return probe.TakeSurvey(); },
        [](Napi::Env env, podweir::Survey& survey) -> Napi::Value { return ToObject(env, survey); });
  }

  Napi::Value Addresses(const Napi::CallbackInfo& info) {
    int namespace_id = info[0].ToNumber().Int32Value();
    return RunFor<std::vector<DeviceAddress>>(
        control_, [namespace_id](Probe&) { return ListAddresses(namespace_id); },
        [](Napi::Env env, std::vector<DeviceAddress>& addresses) -> Napi::Value { return ToArray(env, addresses); });
  }

  Napi::Value Inspect(const Napi::CallbackInfo&) {
    return RunFor<Inspection>(
        control_, [](Probe& probe) -> Result<Inspection> { return probe.Inspect(); },
        [](Napi::Env env, Inspection& inspection) -> Napi::Value {
          Napi::Object to = Napi::Object::New(env);
          to.Set("programs", ToArray(env, inspection.programs));
          to.Set("maps", ToArray(env, inspection.maps));
          return to;
        });
  }

  Napi::Value EnableStatistics(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this] {
      return SettleBy(probe_ ? probe_->EnableStatistics() : Failed("enable statistics", "probe", EBADF));
    });
  }

  Napi::Value DisableStatistics(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this] {
      if (probe_) probe_->DisableStatistics();
      return SettleBy(Status{});
    });
  }

  Napi::Value TimeInPrograms(const Napi::CallbackInfo&) {
    return RunFor<ProgramTime>(
        control_, [](Probe& probe) -> Result<ProgramTime> { return probe.TimeInPrograms(); },
        [](Napi::Env env, ProgramTime& time) -> Napi::Value { return ToObject(env, time); });
  }

  Napi::Value SetTcpDetail(const Napi::CallbackInfo& info) {
    bool on = info[0].ToBoolean();
    return Promise(Value(), control_, [this, on] {
      if (!probe_) return SettleBy(Failed("set TCP detail", "probe", EBADF));
      probe_->SetTcpDetail(on);
      return SettleBy(Status{});
    });
  }

  Napi::Value OpenDns(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this] { return SettleBy(dns_status_); });
  }

  // On the thread that drains: what it reads before a drain's flows are named has every answer that they follow.
  Napi::Value ReadDns(const Napi::CallbackInfo&) {
    return RunFor<DnsReading>(
        draining_, [](Probe& probe) { return ReadDnsTap(probe.tap()); }, ToDnsBatch);
  }

  // Both threads may hold the probe: the control thread takes it away while the drain thread waits.
  Napi::Value Close(const Napi::CallbackInfo& info) {
    bool keep = info[0].ToBoolean();
    return Promise(Value(), control_, [this, keep] {
      draining_.Run([this, keep] {
        if (keep && probe_) probe_->Keep();
        drain_.reset();
        probe_.reset();
      });
      return SettleBy(Status{});
    });
  }

  ProbeOptions options_;
  DrainOptions drain_options_;
  Status dns_status_ = Failed("load", "dns.bpf.o", EBADF, "it was not asked for");
  std::unique_ptr<Probe> probe_;
  EmptyTables empty_;
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
