// The function detachAll(), for binding.cc to export.
#ifndef PODWEIR_DETACH_BINDING_H
#define PODWEIR_DETACH_BINDING_H

#include <napi.h>

namespace podweir {

Napi::Function DefineDetachAll(Napi::Env env);

}  // namespace podweir

#endif
