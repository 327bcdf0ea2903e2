// Work on a thread of ours that settles a promise on the event loop.
#ifndef PODWEIR_PROMISE_H
#define PODWEIR_PROMISE_H

#include <napi.h>

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <utility>

#include "status.h"
#include "worker.h"

namespace podweir {

// Runs on the event loop.
using Settle = std::function<void(Napi::Env, Napi::Promise::Deferred&)>;

// A rejection carries what lib/capture/native-failure.ts makes a Failure of.
inline Napi::Value RejectionOf(Napi::Env env, const Status& status) {
  Napi::Error error = Napi::Error::New(env, status.step + " " + status.subject + ": " + strerror(status.error));
  error.Set("step", status.step);
  error.Set("subject", status.subject);
  error.Set("errno", static_cast<double>(status.error));
  error.Set("reason", strerror(status.error));
  error.Set("detail", status.detail);
  return error.Value();
}

// For who answers at once.
inline void Throw(Napi::Env env, const Status& status) {
  Napi::Error(env, RejectionOf(env, status)).ThrowAsJavaScriptException();
}

inline Settle SettleBy(const Status& status) {
  return [status](Napi::Env env, Napi::Promise::Deferred& deferred) {
    if (status.ok()) deferred.Resolve(env.Undefined());
    else deferred.Reject(RejectionOf(env, status));
  };
}

template <typename T>
Settle SettleBy(Result<T> result, std::function<Napi::Value(Napi::Env, T&)> convert) {
  auto shared = std::make_shared<Result<T>>(std::move(result));
  return [shared, convert = std::move(convert)](Napi::Env env, Napi::Promise::Deferred& deferred) {
    if (shared->ok()) deferred.Resolve(convert(env, **shared));
    else deferred.Reject(RejectionOf(env, shared->status));
  };
}

struct PromisedCall {
  Napi::Promise::Deferred deferred;
  Napi::ObjectReference owner;  // what the work uses lives until it is settled
  Settle settle;
};

inline void DeliverCall(Napi::Env env, Napi::Function, std::nullptr_t*, PromisedCall* call) {
  std::unique_ptr<PromisedCall> owned(call);
  if (!env) {
    call->owner.SuppressDestruct();
    return;
  }
  Napi::HandleScope scope(env);
  call->settle(env, call->deferred);
}

// The way back lives as long as the call, so that a waiting call keeps the process alive and an idle object does not.
inline Napi::Value Promise(Napi::Object owner, Worker& worker, std::function<Settle()> work) {
  using Done = Napi::TypedThreadSafeFunction<std::nullptr_t, PromisedCall, DeliverCall>;
  Napi::Env env = owner.Env();
  auto* call = new PromisedCall{Napi::Promise::Deferred::New(env), Napi::Persistent(owner), nullptr};
  Napi::Value promise = call->deferred.Promise();
  Done done = Done::New(env, "podweir", 0, 1);
  worker.Submit([call, done, work = std::move(work)]() mutable {
    call->settle = work();
    done.NonBlockingCall(call);
    done.Release();
  });
  return promise;
}

}  // namespace podweir

#endif
