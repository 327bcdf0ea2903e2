// The kernel programs of ebpf/ as functions of this process, and the list of the maps they use.
#include "flow.bpf.c"
#include "kernel.h"
#include "maps.h"
#include "skb.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096UL

const struct map_definition kernel_maps[] = {
    KEYED_MAP(scratch),  KEYED_MAP(interface_totals), KEYED_MAP(index4),     KEYED_MAP(index6),
    KEYED_MAP(slots),    KEYED_MAP(slot_details),     STACK_MAP(free_slots), STACK_MAP(free_collapsed),
    KEYED_MAP(slot_use), KEYED_MAP(class_counts),     KEYED_MAP(hole_locks),
};
const size_t kernel_map_count = sizeof(kernel_maps) / sizeof(kernel_maps[0]);

// As a dispatcher does it.
int run_program(struct __sk_buff* skb, int direction) {
  switch (linear_ether_type(skb)) {
    case ETH_P_IP:
      return direction == FROM_POD ? flow4_from_pod(skb) : flow4_to_pod(skb);
    case ETH_P_IPV6:
      return direction == FROM_POD ? flow6_from_pod(skb) : flow6_to_pod(skb);
    default:
      return direction == FROM_POD ? flow_from_pod(skb) : flow_to_pod(skb);
  }
}

// Constants are constant from loading on; until then libbpf writes them, as we do.
static void set_constant(const volatile __u32* constant, __u32 value) {
  unsigned long first = (unsigned long)constant & ~(PAGE_BYTES - 1);
  unsigned long behind = ((unsigned long)(constant + 1) + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);

  if (mprotect((void*)first, behind - first, PROT_READ | PROT_WRITE)) __builtin_trap();
  *(volatile __u32*)constant = value;
}

void reset_globals(__u32 flow_slots, __u32 collapsed_slots) {
  set_constant(&slot_limit, flow_slots);
  set_constant(&collapsed_limit, collapsed_slots);
  tcp_detail = 1;
  memset(front_cache, 0, sizeof(front_cache));
  memset(hole_sets, 0, sizeof(hole_sets));
}
