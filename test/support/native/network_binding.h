// What of the test addon moves packets: sockets that a test drives and a forwarder between two devices.
#ifndef PODWEIR_NETWORK_BINDING_H
#define PODWEIR_NETWORK_BINDING_H

#include <napi.h>

namespace podweir {

void DefineNetwork(Napi::Env env, Napi::Object exports);

}  // namespace podweir

#endif
