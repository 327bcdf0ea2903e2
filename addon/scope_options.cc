#include "scope_options.h"

#include <cstring>

namespace podweir {
namespace {

constexpr size_t kPorts = 65536;
constexpr size_t kIpv4Bytes = 4, kIpv6Bytes = 16;

bool ReadBlock(const Napi::Value& from, ScopeBlock& block) {
  if (!from.IsObject()) return false;
  auto object = from.As<Napi::Object>();
  Napi::Value network = object.Get("network"), prefix_length = object.Get("prefixLength");
  if (!network.IsTypedArray() || !prefix_length.IsNumber()) return false;
  auto bytes = network.As<Napi::Uint8Array>();
  if (bytes.TypedArrayType() != napi_uint8_array) return false;
  if (bytes.ByteLength() != kIpv4Bytes && bytes.ByteLength() != kIpv6Bytes) return false;
  block.ipv6 = bytes.ByteLength() == kIpv6Bytes;
  block.prefix_length = prefix_length.As<Napi::Number>().Uint32Value();
  memcpy(block.address, bytes.Data(), bytes.ByteLength());
  block.included = object.Get("included").ToBoolean();
  return block.prefix_length <= bytes.ByteLength() * 8;
}

}  // namespace

std::string ReadScope(const Napi::Value& from, ScopeOptions& scope) {
  if (from.IsUndefined()) return "";
  if (!from.IsObject()) return "scope is no object";
  auto object = from.As<Napi::Object>();
  scope.interfaces = object.Get("interfaces").ToBoolean();
  Napi::Value blocks = object.Get("blocks"), ports = object.Get("ports");
  if (!blocks.IsArray()) return "scope.blocks is no array";
  auto rows = blocks.As<Napi::Array>();
  if (rows.Length() > SCOPE_BLOCKS_LIMIT) return "scope.blocks has more than 2048 blocks";
  scope.blocks.resize(rows.Length());
  for (uint32_t i = 0; i < rows.Length(); i++)
    if (!ReadBlock(rows.Get(i), scope.blocks[i])) return "scope.blocks has what is no block";
  if (!ports.IsTypedArray() || ports.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    return "scope.ports is no Uint8Array";
  auto bytes = ports.As<Napi::Uint8Array>();
  if (bytes.ByteLength() != 0 && bytes.ByteLength() != kPorts) return "scope.ports has no byte for each of 65536 ports";
  scope.ports.assign(bytes.Data(), bytes.Data() + bytes.ByteLength());
  return "";
}

}  // namespace podweir
