// The functions about privileges, for binding.cc to export.
#ifndef PODWEIR_PRIVILEGES_BINDING_H
#define PODWEIR_PRIVILEGES_BINDING_H

#include <napi.h>

namespace podweir {

void ExportPrivileges(Napi::Env env, Napi::Object exports);

}  // namespace podweir

#endif
