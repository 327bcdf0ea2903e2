// What the probe takes and tells besides batches, as JS objects.
#ifndef PODWEIR_PROBE_OBJECTS_H
#define PODWEIR_PROBE_OBJECTS_H

#include <napi.h>

#include <string>
#include <vector>

#include "detach_all.h"
#include "drain.h"
#include "probe.h"

namespace podweir {

Napi::Object ToObject(Napi::Env env, const AttachmentInfo& info);
Napi::Object ToObject(Napi::Env env, const Adoption& adoption);
Napi::Object ToObject(Napi::Env env, const Continued& from);
Napi::Object ToObject(Napi::Env env, const Detached& detached);
Napi::Object ToObject(Napi::Env env, const Link& link);
Napi::Object ToObject(Napi::Env env, const NamespaceEntry& entry);
Napi::Object ToObject(Napi::Env env, const ProgramInfo& program);
Napi::Object ToObject(Napi::Env env, const MapInfo& map);
Napi::Object ToObject(Napi::Env env, const Inspection& inspection);
Napi::Object ToObject(Napi::Env env, const ProgramTime& time);

// Of objects, or of numbers and texts as they are.
template <typename T>
Napi::Array ToArray(Napi::Env env, const std::vector<T>& rows) {
  Napi::Array to = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) {
    if constexpr (requires { ToObject(env, rows[i]); }) to.Set(i, ToObject(env, rows[i]));
    else to.Set(i, rows[i]);
  }
  return to;
}

AttachRequest ToAttachRequest(const Napi::Object& from);

// Both from the options of lib/capture/native-probe.ts. Returns what is wrong with them, empty: nothing.
std::string ReadOptions(const Napi::Value& from, ProbeOptions& probe, DrainOptions& drain);

}  // namespace podweir

#endif
