// The scope as JS hands it over.
#ifndef PODWEIR_SCOPE_OPTIONS_H
#define PODWEIR_SCOPE_OPTIONS_H

#include <napi.h>

#include <string>

#include "scope_rules.h"

namespace podweir {

// From `PacketScope` of lib/capture/packet-scope.ts. Returns what is wrong with it, empty: nothing.
std::string ReadScope(const Napi::Value& from, ScopeOptions& scope);

}  // namespace podweir

#endif
