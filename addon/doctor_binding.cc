// The JS class ScratchPair and programsAt(): arguments, threads, promises. No logic.
#include "doctor_binding.h"

#include <cerrno>
#include <memory>
#include <utility>

#include "conntrack.h"
#include "foreign_programs.h"
#include "namespace.h"
#include "processes.h"
#include "promise.h"
#include "scratch_pair.h"

namespace podweir {
namespace {

Napi::Value ToPrograms(Napi::Env env, std::vector<ProgramAt>& programs) {
  Napi::Array to = Napi::Array::New(env, programs.size());
  for (uint32_t i = 0; i < programs.size(); i++) {
    Napi::Object program = Napi::Object::New(env);
    program.Set("device", programs[i].device);
    program.Set("hook", programs[i].hook);
    program.Set("name", programs[i].name);
    program.Set("ours", programs[i].ours);
    to.Set(i, program);
  }
  return to;
}

}  // namespace

class DoctorBinding : public Napi::ObjectWrap<DoctorBinding> {
 public:
  explicit DoctorBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DoctorBinding>(info) {}

  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "Doctor",
        {InstanceMethod<&DoctorBinding::MakePair>("makePair"), InstanceMethod<&DoctorBinding::Send>("send"),
         InstanceMethod<&DoctorBinding::Programs>("programs"), InstanceMethod<&DoctorBinding::Namespaces>("namespaces"),
         InstanceMethod<&DoctorBinding::TrackedConnections>("trackedConnections"),
         InstanceMethod<&DoctorBinding::Close>("close")});
  }

 private:
  Napi::Value MakePair(const Napi::CallbackInfo&) {
    return Promise(Value(), worker_, [this]() -> Settle {
      Result<std::unique_ptr<ScratchPair>> pair = ScratchPair::Make();
      if (!pair.ok()) return SettleBy(pair.status);
      pair_ = std::move(*pair);
      return [this](Napi::Env env, Napi::Promise::Deferred& deferred) {
        Napi::Object to = Napi::Object::New(env);
        to.Set("apart", pair_->apart());
        to.Set("device", pair_->near_device());
        to.Set("netns", pair_->near_netns());
        deferred.Resolve(to);
      };
    });
  }

  Napi::Value Send(const Napi::CallbackInfo& info) {
    int datagrams = info[0].ToNumber().Int32Value();
    return Promise(Value(), worker_, [this, datagrams] {
      return SettleBy(pair_ ? pair_->Send(datagrams) : Failed("send", "scratch pair", EBADF));
    });
  }

  Napi::Value Programs(const Napi::CallbackInfo& info) {
    std::string netns = info[0].IsString() ? info[0].As<Napi::String>().Utf8Value() : std::string();
    return Promise(Value(), worker_, [this, netns] {
      Result<std::vector<ProgramAt>> programs = Status{};
      Status entered = namespaces_.In(netns, [&] {
        programs = ListPrograms();
        return programs.status;
      });
      return entered.ok() ? SettleBy<std::vector<ProgramAt>>(std::move(programs), ToPrograms) : SettleBy(entered);
    });
  }

  Napi::Value Namespaces(const Napi::CallbackInfo&) {
    return Promise(Value(), worker_, [] {
      return SettleBy<std::vector<NamespaceEntry>>(ListNamespaces(), [](Napi::Env env, auto& entries) -> Napi::Value {
        Napi::Array to = Napi::Array::New(env, entries.size());
        for (uint32_t i = 0; i < entries.size(); i++) {
          Napi::Object entry = Napi::Object::New(env);
          entry.Set("path", entries[i].path);
          entry.Set("cgroup", OpenProcess(entries[i].process).Cgroup());
          to.Set(i, entry);
        }
        return to;
      });
    });
  }

  Napi::Value TrackedConnections(const Napi::CallbackInfo&) {
    return Promise(Value(), worker_, [] {
      Result<Conntrack> conntrack = Conntrack::Open();
      Result<uint32_t> entries = conntrack.ok() ? conntrack->Entries() : conntrack.status;
      return SettleBy<uint32_t>(std::move(entries), [](Napi::Env env, uint32_t& count) -> Napi::Value {
        return Napi::Number::New(env, count);
      });
    });
  }

  Napi::Value Close(const Napi::CallbackInfo&) {
    return Promise(Value(), worker_, [this] {
      pair_.reset();
      return SettleBy(Status{});
    });
  }

  std::unique_ptr<ScratchPair> pair_;
  NamespaceThread namespaces_;
  // Last, so that it is joined before anything it uses goes.
  Worker worker_{"podweir-doctor"};
};

void ExportDoctor(Napi::Env env, Napi::Object exports) { exports.Set("Doctor", DoctorBinding::Define(env)); }

}  // namespace podweir
