// Rows to typed-array columns, under the names of lib/capture/flow-batch.ts.
#ifndef PODWEIR_FLOW_BATCH_H
#define PODWEIR_FLOW_BATCH_H

#include <napi.h>

#include "drain_rows.h"

namespace podweir {

// Takes the columns out of `result`.
Napi::Object ToBatch(Napi::Env env, DrainResult& result);

}  // namespace podweir

#endif
