#define _GNU_SOURCE  // MAP_FIXED_NOREPLACE
#include "skb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>

#include "demand.h"

#define PAGE_BYTES 4096
#define ARENA_BYTES (20 * PAGE_BYTES)
#define FIRST_ARENA 0x20000000UL  // below the sanitizer's own memory, and nobody else's
#define HEADROOM_BYTES 256
#define ZERO_UNIT_BYTES 16

// Some interface; nothing of ours reads it.
#define INTERFACE_INDEX 7

struct native_skb {
  struct __sk_buff skb;
  struct __sk_buff before;  // as the program got it
  const uint8_t* given;
  uint32_t given_bytes, linear_bytes;
  uint8_t* arena;
};

static struct native_skb places[SKB_PLACES];

// __sk_buff has 32 bits for an address. Unreadable pages stop what the compiler put no check on.
static uint8_t* new_arena(int place) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  uint8_t* wanted = (uint8_t*)FIRST_ARENA + (size_t)place * 2 * ARENA_BYTES;
  uint8_t* address = mmap(wanted, ARENA_BYTES + 2 * PAGE_BYTES, PROT_NONE, flags, -1, 0);

  demand(address == wanted && !mprotect(address + PAGE_BYTES, ARENA_BYTES, PROT_READ | PROT_WRITE),
         "there is memory below 4 GiB for a packet");
  ASAN_POISON_MEMORY_REGION(address + PAGE_BYTES, ARENA_BYTES);
  return address + PAGE_BYTES;
}

int next_record(const uint8_t** data, size_t* size, struct record* record) {
  if (*size < sizeof(record->header)) return 0;
  memcpy(&record->header, *data, sizeof(record->header));
  *data += sizeof(record->header);
  *size -= sizeof(record->header);
  if (record->header.given_bytes > *size) record->header.given_bytes = (uint16_t)*size;
  record->bytes = *data;
  *data += record->header.given_bytes;
  *size -= record->header.given_bytes;
  return 1;
}

uint32_t linear_bytes_of(const struct record* record) {
  uint32_t given = record->header.given_bytes, linear = record->header.linear_bytes;

  return linear == RECORD_ALL_LINEAR || linear > given ? given : linear;
}

struct __sk_buff* make_skb(const struct record* record, uint32_t linear_bytes, int place) {
  struct native_skb* native = &places[place];
  uint8_t* data;

  if (!native->arena) native->arena = new_arena(place);
  data = native->arena + HEADROOM_BYTES;
  ASAN_POISON_MEMORY_REGION(data, native->linear_bytes);
  ASAN_UNPOISON_MEMORY_REGION(data, linear_bytes);
  if (linear_bytes) memcpy(data, record->bytes, linear_bytes);
  native->given = record->bytes;
  native->given_bytes = record->header.given_bytes;
  native->linear_bytes = linear_bytes;
  native->skb = (struct __sk_buff){
      .len = native->given_bytes + (uint32_t)record->header.zeros * ZERO_UNIT_BYTES,
      .vlan_present = !!(record->header.flags & RECORD_TAG_IN_METADATA),
      .ifindex = INTERFACE_INDEX,
      .data = (uint32_t)(uintptr_t)data,
      .data_end = (uint32_t)(uintptr_t)(data + linear_bytes),
      .gso_size = record->header.gso_size,
      .gso_segs = record->header.gso_segs,
  };
  native->before = native->skb;
  return &native->skb;
}

void check_skb_unchanged(const struct record* record, int place) {
  const struct native_skb* native = &places[place];

  demand(!memcmp(&native->skb, &native->before, sizeof(native->skb)), "a program leaves the skb as it is");
  demand(!memcmp(native->arena + HEADROOM_BYTES, record->bytes, native->linear_bytes),
         "a program leaves the packet as it is");
}

// As bpf_skb_load_bytes in net/core/filter.c: what can't be read whole is zeros.
long native_skb_load_bytes(const void* skb, uint32_t offset, void* to, uint32_t bytes) {
  const struct native_skb* native = skb;
  uint32_t given;

  memset(to, 0, bytes);
  if (offset > INT32_MAX || bytes > native->skb.len || offset > native->skb.len - bytes) return -EFAULT;
  given = offset < native->given_bytes ? native->given_bytes - offset : 0;
  if (given) memcpy(to, native->given + offset, given < bytes ? given : bytes);
  return 0;
}

int linear_ether_type(const struct __sk_buff* skb) {
  const struct ethhdr* ethernet = (const void*)(uintptr_t)skb->data;

  return skb->data_end - skb->data < sizeof(*ethernet) ? 0 : ntohs(ethernet->h_proto);
}
