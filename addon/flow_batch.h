// Rows to typed-array columns, under the names of lib/capture/flow-batch.ts.
#ifndef PODWEIR_FLOW_BATCH_H
#define PODWEIR_FLOW_BATCH_H

#include <napi.h>

#include "drain_rows.h"

namespace podweir {

// Takes the columns out of `result`.
// Tables without a row, made once: on a quiet node nearly all are, and each is some twenty objects.
struct EmptyTables {
  Napi::ObjectReference flows, rtt, beginnings, started, interfaces;
};

Napi::Object ToBatch(Napi::Env env, DrainResult& result, EmptyTables& empty);

}  // namespace podweir

#endif
