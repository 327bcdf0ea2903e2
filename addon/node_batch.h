// What the node knows beside packets, as typed arrays: translations of lib/capture/nat-source.ts and sockets of
// lib/capture/socket-source.ts.
#ifndef PODWEIR_NODE_BATCH_H
#define PODWEIR_NODE_BATCH_H

#include <napi.h>

#include <vector>

#include "host_sockets.h"
#include "translations.h"

namespace podweir {

// Two columns of one length: slots and generations; protocols and ports.
std::vector<FlowName> ToFlowNames(const Napi::CallbackInfo& info);
std::vector<Endpoint> ToEndpoints(const Napi::CallbackInfo& info);

Napi::Value ToTranslations(Napi::Env env, TranslationRows& rows);
Napi::Value ToSockets(Napi::Env env, SocketRows& rows);

}  // namespace podweir

#endif
