// The JS class Probe: argument checks, threads, promises. No logic.
#include <napi.h>

#include <functional>
#include <memory>
#include <utility>

#include "detach_binding.h"
#include "doctor_binding.h"
#include "discovery_binding.h"
#include "dns_batch.h"
#include "dns_tap.h"
#include "drain.h"
#include "drops_binding.h"
#include "flow_batch.h"
#include "node_batch.h"
#include "probe.h"
#include "probe_objects.h"
#include "privileges_binding.h"
#include "promise.h"
#include "worker.h"

namespace podweir {
namespace {

template <typename T>
Napi::Value AsObject(Napi::Env env, T& value) {
  return ToObject(env, value);
}

template <typename T>
Napi::Value AsArray(Napi::Env env, std::vector<T>& rows) {
  return ToArray(env, rows);
}

}  // namespace

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
                        InstanceMethod<&ProbeBinding::OpenConntrack>("openConntrack"),
                        InstanceMethod<&ProbeBinding::LookUp>("lookUp"),
                        InstanceMethod<&ProbeBinding::SocketsAt>("socketsAt"),
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

  Napi::Value Do(Worker& worker, std::function<Status(Probe&)> work) {
    return Promise(Value(), worker, [this, work = std::move(work)] {
      return SettleBy(probe_ ? work(*probe_) : Failed("use", "probe", EBADF, "it is not loaded, or closed"));
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
        control_, [request](Probe& probe) { return probe.Attach(request); }, AsObject<AttachmentInfo>);
  }

  Napi::Value Reattach(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return RunFor<bool>(
        control_, [slot](Probe& probe) { return probe.Reattach(slot); },
        [](Napi::Env env, bool& was_missing) -> Napi::Value { return Napi::Boolean::New(env, was_missing); });
  }

  Napi::Value Detach(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return Do(control_, [slot](Probe& probe) { return probe.Detach(slot); });
  }

  Napi::Value Release(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    return Do(control_, [slot](Probe& probe) { return probe.Release(slot); });
  }

  Napi::Value SetOutOfScope(const Napi::CallbackInfo& info) {
    uint32_t slot = info[0].ToNumber().Uint32Value();
    bool out = info[1].ToBoolean();
    return Do(control_, [slot, out](Probe& probe) { return probe.SetOutOfScope(slot, out); });
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
  template <typename Number>
  Napi::Value Write(const Napi::CallbackInfo& info, Status (Journal::*write)(Number, const std::string&)) {
    uint32_t number = info[0].ToNumber().Uint32Value();
    std::string memo = info[1].ToString().Utf8Value();
    return Promise(Value(), draining_, [this, write, number, memo = std::move(memo)] {
      return SettleBy(probe_ && probe_->journal() ? (probe_->journal()->*write)(number, memo) : Status{});
    });
  }

  Napi::Value Commit(const Napi::CallbackInfo& info) { return Write(info, &Journal::Commit); }
  Napi::Value SaveLedger(const Napi::CallbackInfo& info) { return Write(info, &Journal::SaveLedger); }

  Napi::Value Links(const Napi::CallbackInfo& info) {
    std::string netns = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
    return RunFor<std::vector<Link>>(
        control_, [netns](Probe& probe) { return probe.Links(netns); }, AsArray<Link>);
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
        AsArray<NamespaceEntry>);
  }

  Napi::Value Survey(const Napi::CallbackInfo&) {
    return RunFor<podweir::Survey>(
        control_, [](Probe& probe) { return probe.TakeSurvey(); }, AsObject<podweir::Survey>);
  }

  Napi::Value Addresses(const Napi::CallbackInfo& info) {
    int namespace_id = info[0].ToNumber().Int32Value();
    return RunFor<std::vector<DeviceAddress>>(
        control_, [namespace_id](Probe&) { return ListAddresses(namespace_id); }, AsArray<DeviceAddress>);
  }

  Napi::Value Inspect(const Napi::CallbackInfo&) {
    return RunFor<Inspection>(
        control_, [](Probe& probe) -> Result<Inspection> { return probe.Inspect(); }, AsObject<Inspection>);
  }

  Napi::Value EnableStatistics(const Napi::CallbackInfo&) {
    return Do(control_, [](Probe& probe) { return probe.EnableStatistics(); });
  }

  Napi::Value DisableStatistics(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this] {
      if (probe_) probe_->DisableStatistics();
      return SettleBy(Status{});
    });
  }

  Napi::Value TimeInPrograms(const Napi::CallbackInfo&) {
    return RunFor<ProgramTime>(
        control_, [](Probe& probe) -> Result<ProgramTime> { return probe.TimeInPrograms(); }, AsObject<ProgramTime>);
  }

  Napi::Value SetTcpDetail(const Napi::CallbackInfo& info) {
    bool on = info[0].ToBoolean();
    return Do(control_, [on](Probe& probe) { return probe.SetTcpDetail(on), Status{}; });
  }

  Napi::Value OpenDns(const Napi::CallbackInfo&) {
    return Promise(Value(), control_, [this] { return SettleBy(dns_status_); });
  }

  // On the thread that drains: what it reads before a drain's flows are named has every answer that they follow.
  Napi::Value ReadDns(const Napi::CallbackInfo&) {
    return RunFor<DnsReading>(
        draining_, [](Probe& probe) { return ReadDnsTap(probe.tap()); }, ToDnsBatch);
  }

  Napi::Value OpenConntrack(const Napi::CallbackInfo&) {
    return Promise(Value(), draining_, [this] {
      conntrack_ = Conntrack::Open();
      return SettleBy(conntrack_.status);
    });
  }

  Napi::Value LookUp(const Napi::CallbackInfo& info) {
    return RunFor<TranslationRows>(
        draining_, [this, flows = ToFlowNames(info)](Probe& probe) { return LookUpFlows(probe, conntrack_, flows); },
        ToTranslations);
  }

  Napi::Value SocketsAt(const Napi::CallbackInfo& info) {
    return RunFor<SocketRows>(
        draining_, [this, endpoints = ToEndpoints(info)](Probe&) { return sockets_.At(endpoints); }, ToSockets);
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
  Result<Conntrack> conntrack_ = Failed("ask", "connection tracking", EBADF, "it was not opened");
  HostSockets sockets_;
  std::unique_ptr<Probe> probe_;
  EmptyTables empty_;
  std::unique_ptr<Drain> drain_;
  // Last, so that they are joined before anything they use goes.
  Worker control_{"podweir-control"};
  Worker draining_{"podweir-drain"};
};

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("Probe", ProbeBinding::Define(env));
  exports.Set("Drops", DefineDrops(env));
  exports.Set("detachAll", DefineDetachAll(env));
  exports.Set("Watch", DefineWatch(env));
  exports.Set("flowAbi", FLOW_ABI);
  ExportPrivileges(env, exports);
  ExportDoctor(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(podweir, Init)

}  // namespace podweir
