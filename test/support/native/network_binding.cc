#include "network_binding.h"

#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "endpoint_socket.h"
#include "forwarder.h"
#include "link_change.h"

namespace podweir {
namespace {

Napi::Value Throw(Napi::Env env, const Status& status) {
  Napi::Error::New(env, status.step + " " + status.subject + ": " + strerror(status.error))
      .ThrowAsJavaScriptException();
  return env.Undefined();
}

std::string TextOf(const Napi::Value& value) {
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

int64_t NumberOf(const Napi::Value& value, int64_t fallback) {
  return value.IsNumber() ? value.As<Napi::Number>().Int64Value() : fallback;
}

int IntOf(const Napi::Value& value) { return static_cast<int>(NumberOf(value, 0)); }

SocketAddress AddressOf(const Napi::CallbackInfo& info, size_t at) {
  return {TextOf(info[at]), static_cast<uint16_t>(IntOf(info[at + 1]))};
}

}  // namespace

// Made with a namespace and a family, or (by `accept`) around a socket that is there.
class SocketBinding : public Napi::ObjectWrap<SocketBinding> {
 public:
  static Napi::Function Define(Napi::Env env) {
    using B = SocketBinding;
    return DefineClass(env, "EndpointSocket",
                       {InstanceMethod<&B::Bind>("bind"), InstanceMethod<&B::Connect>("connect"),
                        InstanceMethod<&B::Listen>("listen"), InstanceMethod<&B::Set>("set"),
                        InstanceMethod<&B::ShutDown>("shutDown"), InstanceMethod<&B::TakeError>("takeError"),
                        InstanceMethod<&B::Accept>("accept"), InstanceMethod<&B::Send>("send"),
                        InstanceMethod<&B::Receive>("receive"), InstanceMethod<&B::LocalPort>("localPort"),
                        InstanceMethod<&B::State>("state"), InstanceMethod<&B::Close>("close")});
  }

  explicit SocketBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SocketBinding>(info) {
    if (info[0].IsExternal()) {
      socket_.emplace(std::move(*info[0].As<Napi::External<EndpointSocket>>().Data()));
      return;
    }
    Result<EndpointSocket> opened = EndpointSocket::Open(TextOf(info[0]), IntOf(info[1]));
    if (opened.ok()) socket_.emplace(std::move(*opened));
    else Throw(info.Env(), opened.status);
  }

 private:
  using Info = Napi::CallbackInfo;

  static Napi::Value Number(const Info& info, int64_t value) {
    return Napi::Number::New(info.Env(), static_cast<double>(value));
  }
  Napi::Value Bind(const Info& info) { return Number(info, socket_->Bind(AddressOf(info, 0))); }
  Napi::Value Connect(const Info& info) { return Number(info, socket_->Connect(AddressOf(info, 0))); }
  Napi::Value Listen(const Info& info) { return Number(info, socket_->Listen(IntOf(info[0]))); }
  Napi::Value Set(const Info& info) {
    return Number(info, socket_->Set(IntOf(info[0]), IntOf(info[1]), IntOf(info[2])));
  }
  Napi::Value ShutDown(const Info& info) { return Number(info, socket_->ShutDown()); }
  Napi::Value TakeError(const Info& info) { return Number(info, socket_->TakeError()); }
  // undefined while nobody waits.
  Napi::Value Accept(const Info& info) {
    Result<EndpointSocket> accepted = socket_->Accept();
    if (!accepted.ok()) return info.Env().Undefined();
    auto* constructor = info.Env().GetInstanceData<Napi::FunctionReference>();
    return constructor->New({Napi::External<EndpointSocket>::New(info.Env(), &*accepted)});
  }
  Napi::Value Send(const Info& info) {
    SocketAddress address = AddressOf(info, 2);
    return Number(info, socket_->Send(NumberOf(info[0], 0), IntOf(info[1]), address.text.empty() ? nullptr : &address));
  }
  Napi::Value Receive(const Info& info) { return Number(info, socket_->Receive(NumberOf(info[0], 0))); }
  Napi::Value LocalPort(const Info& info) { return Number(info, socket_->LocalPort()); }
  Napi::Value State(const Info& info) {
    SocketState state = socket_->State();
    Napi::Object to = Napi::Object::New(info.Env());
    to.Set("tcpState", state.tcp_state);
    to.Set("retransmits", state.retransmits);
    to.Set("unacknowledged", state.unacknowledged);
    return to;
  }
  Napi::Value Close(const Info& info) {
    socket_->Close();
    return info.Env().Undefined();
  }

  std::optional<EndpointSocket> socket_;
};

class ForwarderBinding : public Napi::ObjectWrap<ForwarderBinding> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "Forwarder",
        {InstanceMethod<&ForwarderBinding::Stop>("stop"), InstanceMethod<&ForwarderBinding::Waiting>("waiting")});
  }

  explicit ForwarderBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ForwarderBinding>(info) {
    auto from = info[0].As<Napi::Object>();
    ForwarderOptions options{TextOf(from.Get("netns")),
                             {TextOf(from.Get("one")), TextOf(from.Get("other"))},
                             static_cast<uint64_t>(NumberOf(from.Get("delayNs"), 0)),
                             static_cast<uint32_t>(NumberOf(from.Get("lateEvery"), 0)),
                             static_cast<uint64_t>(NumberOf(from.Get("lateByNs"), 0)),
                             static_cast<int>(NumberOf(from.Get("cpu"), -1))};
    Result<std::unique_ptr<Forwarder>> started = Forwarder::Start(options);
    if (started.ok()) forwarder_ = std::move(*started);
    else Throw(info.Env(), started.status);
  }

 private:
  Napi::Value Stop(const Napi::CallbackInfo& info) {
    int64_t sent = forwarder_->Stop();
    if (sent < 0) return Throw(info.Env(), Failed("forward", "frame", static_cast<int>(-sent)));
    return Napi::Number::New(info.Env(), static_cast<double>(sent));
  }
  Napi::Value Waiting(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(forwarder_->waiting()));
  }

  std::unique_ptr<Forwarder> forwarder_;
};

static Napi::Value TimeChange(const Napi::CallbackInfo& info) {
  Result<int64_t> took = TimeLinkChange(TextOf(info[0]), static_cast<uint32_t>(IntOf(info[1])));
  if (!took.ok()) return Throw(info.Env(), took.status);
  return Napi::Number::New(info.Env(), static_cast<double>(*took));
}

void DefineNetwork(Napi::Env env, Napi::Object exports) {
  Napi::Function socket = SocketBinding::Define(env);
  env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(socket)));
  exports.Set("EndpointSocket", socket);
  exports.Set("Forwarder", ForwarderBinding::Define(env));
  exports.Set("timeLinkChange", Napi::Function::New(env, TimeChange));
}

}  // namespace podweir
