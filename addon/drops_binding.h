// The JS class Drops, for binding.cc to export.
#ifndef PODWEIR_DROPS_BINDING_H
#define PODWEIR_DROPS_BINDING_H

#include <napi.h>

namespace podweir {

Napi::Function DefineDrops(Napi::Env env);

}  // namespace podweir

#endif
