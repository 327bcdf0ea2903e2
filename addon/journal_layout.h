// What is kept in pinned maps beside the flows: enough for the next agent to go on where a killed one stopped.
// Only user space reads and writes it. Fixed widths; every change of meaning raises JOURNAL_ABI.
#ifndef PODWEIR_JOURNAL_LAYOUT_H
#define PODWEIR_JOURNAL_LAYOUT_H

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "flow.h"
#include "interfaces.h"

#define JOURNAL_ABI 1

namespace podweir {

// Of flows, by direction, on the wire.
struct Amounts {
  uint64_t packets[DIRECTIONS];
  uint64_t bytes[DIRECTIONS];
};

// All that slots held when they were given back.
struct Retired {
  Amounts flows;
  Amounts collapsed;
};

// What of a slot is contained in the last export that was acknowledged.
struct Watermark {
  uint64_t packets[DIRECTIONS];
  uint64_t bytes[DIRECTIONS];
  uint32_t generation;
  // Connection::Memory: what was told of the connection.
  uint8_t state, end, told;
  uint8_t is_set;
};

constexpr size_t kDeliveryBytes = 2048;
constexpr size_t kLedgerBytes = 16384;

// One consistent state of everything that was delivered. There are two: the committed one, and the next.
struct DeliveredSet {
  uint64_t mark;
  Retired retired;
  uint32_t memo_bytes;
  uint32_t reserved;
  char memo[kDeliveryBytes];  // of lib/aggregate/, read by nobody else
};

struct LedgerMemo {
  uint32_t sequence;  // of the drain that it contains
  uint32_t bytes;
  char text[kLedgerBytes];
};

// Giving back one slot takes several steps. What they lead to is written down first, so that the next agent can end
// what a killed one began.
enum RetireStep : uint32_t { kNoSlot = 0, kZeroing = 1, kReturning = 2 };
struct RetireIntent {
  uint32_t step;  // enum RetireStep, written last
  uint32_t slot;
  uint32_t generation;  // of the slot's next flow
  uint32_t interface_slot;
  Retired all, of_interface;  // behind it
};

struct JournalHeader {
  uint32_t magic;  // written last
  uint32_t flow_abi, journal_abi, flow_limit;
  int64_t started_at_ms;  // the first agent that counted into these maps
  uint32_t committed;     // 1 or 2: which set, 0: none yet
  uint32_t ledger;        // likewise
  Retired retired;
  RetireIntent intent;
  DeliveredSet sets[2];
  LedgerMemo ledgers[2];
};

enum RecordState : uint32_t {
  kNoInterface = 0,
  kAttaching = 1,  // may have counted, and has no baseline
  kObserved = 2,
  kOver = 3,  // its last row was told in the drain `ended_in`
};

struct DeviceReading {
  DeviceCounters device;  // the pod's end
  uint64_t skbs[DIRECTIONS], packets[DIRECTIONS];
  uint64_t overseen[DIRECTIONS], bypassed[DIRECTIONS], missed[DIRECTIONS];
};

struct InterfaceRecord {
  uint32_t state;  // enum RecordState
  uint32_t ended_in;
  uint64_t namespace_inode;
  int64_t attached_at_ms;
  int32_t index;  // of the device that we are hooked to
  int32_t peer_index, pod_index, pod_namespace_id;
  uint32_t handle, priorities[DIRECTIONS];  // clsact
  uint8_t at_host, is_clsact, created_clsact, baseline_exact;
  uint8_t kind[DIRECTIONS];
  uint8_t reserved[2];
  uint32_t reading;  // which of the two is whole
  char device[16], address[24], link_kind[16], pod_address[24];
  DeviceCounters baseline_pod, baseline_host;
  uint64_t unobserved[DIRECTIONS];
  DeviceReading readings[2];
  Retired retired;
};

static_assert(std::is_trivially_copyable_v<JournalHeader> && std::is_trivially_copyable_v<InterfaceRecord>);
static_assert(sizeof(Watermark) == 40);
// test/agent/half-returned.test.ts puts these into the states that a killed agent leaves.
static_assert(offsetof(JournalHeader, retired) == 32 && offsetof(JournalHeader, intent) == 96);
static_assert(offsetof(InterfaceRecord, retired) == 448);

}  // namespace podweir

#endif
