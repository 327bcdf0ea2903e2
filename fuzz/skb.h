// A fuzzer's bytes as packets, and a packet as the kernel shows it to a program: linear part, rest, metadata.
#ifndef PODWEIR_FUZZ_SKB_H
#define PODWEIR_FUZZ_SKB_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// As it stands in the input, in front of `given_bytes` bytes of packet. Any value is a valid one.
struct record_header {
  uint8_t flags;         // enum record_flags
  uint8_t linear_bytes;  // RECORD_ALL_LINEAR: all that is given
  uint8_t elapsed;       // since the packet before: 2^elapsed ns, 0 for none
  uint8_t interruption;  // enum record_interruptions, and the helper call to which it happens
  uint16_t gso_size, gso_segs;
  uint16_t zeros;  // what follows the given bytes, in 16 bytes: super-packets take no space in a corpus
  uint16_t given_bytes;
} __attribute__((packed));

enum record_flags {
  RECORD_TO_POD = 1,
  RECORD_TAG_IN_METADATA = 2,
  RECORD_OTHER_INTERFACE = 4,
  RECORD_RETIRE = 8,         // no packet: user space begins to retire slot `linear_bytes`
  RECORD_FREE_RETIRED = 16,  // no packet: and is done with it
  RECORD_SET_DETAIL = 32,    // no packet: user space sets tcp_detail to `linear_bytes`
  RECORD_OVERWRITE = 64,     // no packet: the bytes go into slots or details, at `zeros`
};

// In the upper two bits of `interruption`; below them the number of the helper call, from 1.
enum record_interruptions {
  INTERRUPTION_NONE = 0,
  INTERRUPTION_NEXT_RECORD = 1,  // another CPU handles the next record meanwhile
  INTERRUPTION_FAILURE = 2,      // from there on an update of a hash fails
};

#define RECORD_ALL_LINEAR 255
#define RECORD_CALL_MASK 0x3f

struct record {
  struct record_header header;
  const uint8_t* bytes;
};

// Takes the next record off the input. 0 when there is none.
int next_record(const uint8_t** data, size_t* size, struct record* record);

// CPUs that handle a packet at the same time: each has one.
#define SKB_PLACES 2

// The record's packet with this much of it linear, valid until the place is used again. Reading before or behind the
// linear part is reported.
struct __sk_buff* make_skb(const struct record* record, uint32_t linear_bytes, int place);
uint32_t linear_bytes_of(const struct record* record);

// In host order; 0 when the linear part is too short for it.
int linear_ether_type(const struct __sk_buff* skb);

// Aborts when a program changed the packet or what the kernel says of it.
void check_skb_unchanged(const struct record* record, int place);

#ifdef __cplusplus
}
#endif

#endif
