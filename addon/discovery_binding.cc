#include "discovery_binding.h"

#include <memory>
#include <mutex>
#include <utility>

#include "probe_objects.h"
#include "promise.h"
#include "watch.h"

namespace podweir {
namespace {

// Changes that the event loop has not taken yet: however many there are, it is called once.
struct Inbox {
  std::mutex mutex;
  bool called = false;
  Changes changes;
};

void Deliver(Napi::Env env, Napi::Function listener, Inbox* inbox, void*) {
  Changes changes;
  {
    std::lock_guard lock(inbox->mutex);
    changes = std::exchange(inbox->changes, {});
    inbox->called = false;
  }
  if (!env || listener.IsEmpty()) return;
  Napi::HandleScope scope(env);
  Napi::Object to = Napi::Object::New(env);
  to.Set("lost", changes.lost);
  to.Set("deletedLinks", ToArray(env, changes.deleted_links));
  to.Set("deletedIds", ToArray(env, changes.deleted_ids));
  listener.Call({to});
}

class WatchBinding : public Napi::ObjectWrap<WatchBinding> {
  using Way = Napi::TypedThreadSafeFunction<Inbox, void, Deliver>;

 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "Watch", {InstanceMethod<&WatchBinding::Close>("close")});
  }

  explicit WatchBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WatchBinding>(info) {
    Napi::Env env = info.Env();
    if (!info[0].IsFunction()) {
      Napi::TypeError::New(env, "Watch takes a listener").ThrowAsJavaScriptException();
      return;
    }
    auto* inbox = new Inbox;
    way_ = Way::New(env, info[0].As<Napi::Function>(), "podweir-watch", 0, 1, inbox,
                    [](Napi::Env, void*, Inbox* owned) { delete owned; });
    // It must not keep the process alive.
    way_.Unref(env);
    Result<std::unique_ptr<Watch>> watch = Watch::Start([this, inbox](const Changes& changes) {
      std::lock_guard lock(inbox->mutex);
      inbox->changes.lost |= changes.lost;
      auto append = [](std::vector<int>& to, const std::vector<int>& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(inbox->changes.deleted_links, changes.deleted_links);
      append(inbox->changes.deleted_ids, changes.deleted_ids);
      if (!std::exchange(inbox->called, true)) way_.NonBlockingCall();
    });
    if (watch.ok()) {
      watch_ = std::move(*watch);
      return;
    }
    way_.Release();
    Throw(env, watch.status);
  }

  ~WatchBinding() { End(); }

 private:
  Napi::Value Close(const Napi::CallbackInfo& info) {
    End();
    return info.Env().Undefined();
  }

  // Its thread is joined before the way back goes.
  void End() {
    if (!watch_) return;
    watch_.reset();
    way_.Abort();
  }

  Way way_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace

Napi::Object ToObject(Napi::Env env, const Resident& resident) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("process", resident.process);
  to.Set("started", static_cast<double>(resident.started));
  to.Set("cgroup", resident.cgroup);
  return to;
}

Napi::Object ToObject(Napi::Env env, const SurveyedNamespace& surveyed) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("path", surveyed.path);
  to.Set("inode", static_cast<double>(surveyed.inode));
  to.Set("id", surveyed.id);
  to.Set("cookie", static_cast<double>(surveyed.cookie));
  to.Set("residents", ToArray(env, surveyed.residents));
  return to;
}

Napi::Object ToObject(Napi::Env env, const Survey& survey) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("namespaces", ToArray(env, survey.namespaces));
  to.Set("links", ToArray(env, survey.links));
  to.Set("mayEnter", survey.may_enter);
  to.Set("namesPending", survey.names_pending);
  return to;
}

Napi::Object ToObject(Napi::Env env, const DeviceAddress& address) {
  Napi::Object to = Napi::Object::New(env);
  to.Set("index", address.index);
  to.Set("bytes", Napi::Buffer<uint8_t>::Copy(env, address.bytes.data(), address.bytes.size()));
  return to;
}

Napi::Function DefineWatch(Napi::Env env) { return WatchBinding::Define(env); }

}  // namespace podweir
