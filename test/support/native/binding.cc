// The face of the test addon: argument checks and conversions. Everything is synchronous; a failure is thrown.
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <bpf/libbpf.h>
#include <napi.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "hash_drain.h"
#include "kernel_object.h"
#include "network_binding.h"
#include "packet_socket.h"
#include "run_loop.h"
#include "test_run.h"

namespace podweir {
namespace {

Napi::Value Throw(Napi::Env env, const Status& status) {
  Napi::Error::New(env, status.step + " " + status.subject + ": " + strerror(status.error))
      .ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Value Settle(Napi::Env env, const Status& status) { return status.ok() ? env.Undefined() : Throw(env, status); }

std::vector<uint8_t> BytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  auto array = value.As<Napi::Uint8Array>();
  return std::vector<uint8_t>(array.Data(), array.Data() + array.ByteLength());
}

Napi::Value ToBytes(Napi::Env env, const std::vector<uint8_t>& bytes) {
  auto array = Napi::Uint8Array::New(env, bytes.size());
  if (!bytes.empty()) memcpy(array.Data(), bytes.data(), bytes.size());
  return array;
}

uint32_t NumberOf(const Napi::Object& object, const char* name, uint32_t fallback) {
  Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().Uint32Value() : fallback;
}

std::string TextOf(const Napi::Object& object, const char* name) {
  Napi::Value value = object.Get(name);
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

uint32_t IdOf(const Napi::Value& value) { return value.ToNumber().Uint32Value(); }

HookRequest ToHookRequest(const Napi::Object& from) {
  std::string where = TextOf(from, "where");
  return {TextOf(from, "netns"), TextOf(from, "device"), TextOf(from, "direction") == "egress",
          where == "clsact"     ? Where::kClsact
          : where == "tcx-head" ? Where::kTcxHead
                                : Where::kTcxTail,
          NumberOf(from, "priority", 1)};
}

Napi::Value RunOnce(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  auto options = info[2].IsObject() ? info[2].As<Napi::Object>() : Napi::Object::New(env);
  RunRequest request{BytesOf(info[1]), NumberOf(options, "repeat", 1), NumberOf(options, "gsoSize", 0),
                     NumberOf(options, "gsoSegs", 0), NumberOf(options, "wireBytes", 0)};
  Result<Fd> program = OpenProgram(IdOf(info[0]));
  if (!program.ok()) return Throw(env, program.status);
  Result<RunResult> result = TestRun(program->get(), request);
  if (!result.ok()) return Throw(env, result.status);
  Napi::Object to = Napi::Object::New(env);
  to.Set("returned", result->returned);
  to.Set("nanoseconds", result->nanoseconds);
  to.Set("packet", ToBytes(env, result->packet));
  return to;
}

Napi::Value Fill(const Napi::CallbackInfo& info) {
  Result<Fd> program = OpenProgram(IdOf(info[0]));
  if (!program.ok()) return Throw(info.Env(), program.status);
  return Settle(info.Env(), FillFlows(program->get(), BytesOf(info[1]), IdOf(info[2]), IdOf(info[3])));
}

// What the kernel copies for one entry: of a per-CPU map, the values of all possible CPUs.
size_t ValueBytes(const bpf_map_info& info) {
  bool per_cpu = info.type == BPF_MAP_TYPE_PERCPU_ARRAY || info.type == BPF_MAP_TYPE_PERCPU_HASH ||
                 info.type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
  return per_cpu ? (info.value_size + 7) / 8 * 8 * static_cast<size_t>(libbpf_num_possible_cpus()) : info.value_size;
}

Napi::Value ReadMap(const Napi::CallbackInfo& info) {
  Result<Fd> map = OpenMap(IdOf(info[0]));
  if (!map.ok()) return Throw(info.Env(), map.status);
  bpf_map_info about{};
  uint32_t size = sizeof(about);
  if (bpf_obj_get_info_by_fd(map->get(), &about, &size)) return Throw(info.Env(), Failed("read", "map", errno));
  std::vector<uint8_t> key = BytesOf(info[1]), value(ValueBytes(about));
  if (key.size() != about.key_size) return Throw(info.Env(), Failed("read", about.name, EINVAL));
  if (bpf_map_lookup_elem(map->get(), key.data(), value.data())) {
    if (errno == ENOENT) return info.Env().Undefined();
    return Throw(info.Env(), Failed("read", about.name, errno));
  }
  return ToBytes(info.Env(), value);
}

Napi::Value WriteMap(const Napi::CallbackInfo& info) {
  Result<Fd> map = OpenMap(IdOf(info[0]));
  if (!map.ok()) return Throw(info.Env(), map.status);
  bpf_map_info about{};
  uint32_t size = sizeof(about);
  if (bpf_obj_get_info_by_fd(map->get(), &about, &size)) return Throw(info.Env(), Failed("write", "map", errno));
  std::vector<uint8_t> key = BytesOf(info[1]), value = BytesOf(info[2]);
  if (key.size() != about.key_size || value.size() != ValueBytes(about))
    return Throw(info.Env(), Failed("write", about.name, EINVAL));
  if (bpf_map_update_elem(map->get(), key.data(), value.data(), BPF_ANY))
    return Throw(info.Env(), Failed("write", about.name, errno));
  return info.Env().Undefined();
}

Napi::Value DeleteFromMap(const Napi::CallbackInfo& info) {
  Result<Fd> map = OpenMap(IdOf(info[0]));
  if (!map.ok()) return Throw(info.Env(), map.status);
  std::vector<uint8_t> key = BytesOf(info[1]);
  return Settle(info.Env(),
                bpf_map_delete_elem(map->get(), key.data()) ? Failed("delete from", "map", errno) : Status{});
}

// A map of programs takes a descriptor where it shows an id.
Napi::Value PutProgram(const Napi::CallbackInfo& info) {
  Result<Fd> map = OpenMap(IdOf(info[0]));
  if (!map.ok()) return Throw(info.Env(), map.status);
  Result<Fd> program = OpenProgram(IdOf(info[2]));
  if (!program.ok()) return Throw(info.Env(), program.status);
  uint32_t index = IdOf(info[1]);
  int fd = program->get();
  return Settle(info.Env(),
                bpf_map_update_elem(map->get(), &index, &fd, BPF_ANY) ? Failed("put", "program", errno) : Status{});
}

Napi::Value TcxPrograms(const Napi::CallbackInfo& info) {
  HookRequest from = ToHookRequest(info[0].As<Napi::Object>());
  Result<std::vector<uint32_t>> ids = ListTcx(from.netns, from.device, from.egress);
  if (!ids.ok()) return Throw(info.Env(), ids.status);
  Napi::Array to = Napi::Array::New(info.Env(), ids->size());
  for (uint32_t i = 0; i < ids->size(); i++) to.Set(i, (*ids)[i]);
  return to;
}

Napi::Value Send(const Napi::CallbackInfo& info) {
  HookRequest place = ToHookRequest(info[0].As<Napi::Object>());
  auto from = info[1].As<Napi::Array>();
  std::vector<std::vector<uint8_t>> frames;
  for (uint32_t i = 0; i < from.Length(); i++) frames.push_back(BytesOf(from.Get(i)));
  Result<std::vector<int32_t>> errors = SendFrames(place.netns, place.device, frames);
  if (!errors.ok()) return Throw(info.Env(), errors.status);
  Napi::Array to = Napi::Array::New(info.Env(), errors->size());
  for (uint32_t i = 0; i < errors->size(); i++) to.Set(i, (*errors)[i]);
  return to;
}

Napi::Value TimeHashDrain(const Napi::CallbackInfo& info) {
  bool batch = info[1].As<Napi::String>().Utf8Value() == "batch";
  Result<double> took = DrainHash(IdOf(info[0]), batch ? DrainMethod::kBatch : DrainMethod::kNextKey);
  if (!took.ok()) return Throw(info.Env(), took.status);
  return Napi::Number::New(info.Env(), *took);
}

}  // namespace

class ObjectBinding : public Napi::ObjectWrap<ObjectBinding> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "KernelObject",
        {InstanceMethod<&ObjectBinding::Programs>("programs"), InstanceMethod<&ObjectBinding::Maps>("maps"),
         InstanceMethod<&ObjectBinding::Hook>("hook"), InstanceMethod<&ObjectBinding::Close>("close")});
  }

  explicit ObjectBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ObjectBinding>(info) {
    std::map<std::string, uint32_t> entries;
    if (info[1].IsObject()) {
      auto from = info[1].As<Napi::Object>();
      Napi::Array names = from.GetPropertyNames();
      for (uint32_t i = 0; i < names.Length(); i++) {
        std::string name = names.Get(i).As<Napi::String>().Utf8Value();
        entries[name] = NumberOf(from, name.c_str(), 0);
      }
    }
    Result<std::unique_ptr<KernelObject>> object = KernelObject::Load(info[0].As<Napi::String>().Utf8Value(), entries);
    if (object.ok()) object_ = std::move(*object);
    else Throw(info.Env(), object.status);
  }

 private:
  static Napi::Value ToObject(Napi::Env env, const std::map<std::string, uint32_t>& ids) {
    Napi::Object to = Napi::Object::New(env);
    for (auto& [name, id] : ids) to.Set(name, id);
    return to;
  }
  Napi::Value Programs(const Napi::CallbackInfo& info) { return ToObject(info.Env(), object_->Programs()); }
  Napi::Value Maps(const Napi::CallbackInfo& info) { return ToObject(info.Env(), object_->Maps()); }
  Napi::Value Hook(const Napi::CallbackInfo& info) {
    std::string program = info[0].As<Napi::String>().Utf8Value();
    return Settle(info.Env(), object_->Hook(program, ToHookRequest(info[1].As<Napi::Object>())));
  }
  Napi::Value Close(const Napi::CallbackInfo& info) {
    object_.reset();
    return info.Env().Undefined();
  }

  std::unique_ptr<KernelObject> object_;
};

class LoopBinding : public Napi::ObjectWrap<LoopBinding> {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(env, "RunLoop", {InstanceMethod<&LoopBinding::Stop>("stop")});
  }

  explicit LoopBinding(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LoopBinding>(info) {
    Result<Fd> program = OpenProgram(IdOf(info[0]));
    if (!program.ok()) {
      Throw(info.Env(), program.status);
      return;
    }
    auto from = info[1].As<Napi::Array>();
    std::vector<std::vector<uint8_t>> packets;
    for (uint32_t i = 0; i < from.Length(); i++) packets.push_back(BytesOf(from.Get(i)));
    loop_ = std::make_unique<RunLoop>(std::move(*program), std::move(packets), IdOf(info[2]),
                                      static_cast<int>(IdOf(info[3])));
  }

 private:
  Napi::Value Stop(const Napi::CallbackInfo& info) {
    int64_t runs = loop_->Stop();
    if (runs < 0) return Throw(info.Env(), Failed("loop", "program", static_cast<int>(-runs)));
    return Napi::Number::New(info.Env(), static_cast<double>(runs));
  }

  std::unique_ptr<RunLoop> loop_;
};

namespace {

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("testRun", Napi::Function::New(env, RunOnce));
  exports.Set("fillFlows", Napi::Function::New(env, Fill));
  exports.Set("readMap", Napi::Function::New(env, ReadMap));
  exports.Set("writeMap", Napi::Function::New(env, WriteMap));
  exports.Set("deleteFromMap", Napi::Function::New(env, DeleteFromMap));
  exports.Set("putProgram", Napi::Function::New(env, PutProgram));
  exports.Set("tcxPrograms", Napi::Function::New(env, TcxPrograms));
  exports.Set("sendFrames", Napi::Function::New(env, Send));
  exports.Set("timeHashDrain", Napi::Function::New(env, TimeHashDrain));
  exports.Set("KernelObject", ObjectBinding::Define(env));
  exports.Set("RunLoop", LoopBinding::Define(env));
  DefineNetwork(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(podweir_kernel, Init)

}  // namespace podweir
