// What `podweir doctor` needs of the kernel, for binding.cc to export.
#ifndef PODWEIR_DOCTOR_BINDING_H
#define PODWEIR_DOCTOR_BINDING_H

#include <napi.h>

namespace podweir {

void ExportDoctor(Napi::Env env, Napi::Object exports);

}  // namespace podweir

#endif
