// What discovery needs, as JS: a survey of the machine, addresses of a namespace, and the class Watch.
#ifndef PODWEIR_DISCOVERY_BINDING_H
#define PODWEIR_DISCOVERY_BINDING_H

#include <napi.h>

#include "survey.h"

namespace podweir {

Napi::Object ToObject(Napi::Env env, const Resident& resident);
Napi::Object ToObject(Napi::Env env, const SurveyedNamespace& surveyed);
Napi::Object ToObject(Napi::Env env, const Survey& survey);
Napi::Object ToObject(Napi::Env env, const DeviceAddress& address);

Napi::Function DefineWatch(Napi::Env env);

}  // namespace podweir

#endif
