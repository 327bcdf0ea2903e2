// DNS messages to typed-array columns, under the names of lib/capture/dns-source.ts.
#ifndef PODWEIR_DNS_BATCH_H
#define PODWEIR_DNS_BATCH_H

#include <napi.h>

#include "dns_tap.h"

namespace podweir {

// Takes the columns out of `reading`.
Napi::Value ToDnsBatch(Napi::Env env, DnsReading& reading);

}  // namespace podweir

#endif
