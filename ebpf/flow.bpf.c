// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What an skb passes through: an interface's dispatcher tail-calls one of the two programs at the end of this file. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "count.bpf.h"

/* What these programs were compiled for; whoever opens or adopts their maps compares it with its own. */
const volatile __u32 flow_abi = FLOW_ABI;

/* Per-CPU totals need no atomics: TC runs with bottom halves disabled, so that nothing interrupts the addition. */
static __always_inline void count_totals(struct direction_totals *totals, const struct packet *packet)
{
	totals->seen_packets += packet->packets;
	totals->seen_bytes += packet->bytes;
}

/* The last word of either key: ports, interface slot, protocol and flags. */
static __always_inline __u64 last_key_word(const struct packet *packet, __u32 interface_slot,
					   enum flow_direction direction)
{
	__u64 local_port = direction == FROM_POD ? packet->source_port : packet->destination_port;
	__u64 remote_port = direction == FROM_POD ? packet->destination_port : packet->source_port;

	return local_port | remote_port << 16 | (__u64)interface_slot << 32 | (__u64)packet->protocol << 48 |
	       (__u64)packet->flags << 56;
}

static __always_inline int observe(struct __sk_buff *skb, enum flow_direction direction)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct interface_totals *interface;
	struct direction_totals *totals;
	struct packet packet = {};
	struct flow_slot *slot;
	union flow_key key;
	__u32 interface_slot, slot_number;

	if (!scratch_cpu)
		return TC_ACT_UNSPEC; /* can't be: the map has its one entry from the start */
	interface_slot = scratch_cpu->interface_slot;
	interface = bpf_map_lookup_elem(&interface_totals, &interface_slot);
	if (!interface)
		return TC_ACT_UNSPEC; /* can't be: dispatchers carry slots below INTERFACE_SLOTS */
	totals = &interface->direction[direction];
	totals->skbs++;
	totals->skb_bytes += skb->len;
	parse(skb, direction, &packet, &key);
	count_totals(totals, &packet);
	if (!packet.family) {
		totals->other_packets += packet.packets;
		totals->other_bytes += packet.bytes;
		return TC_ACT_UNSPEC;
	}
	if (packet.family == 4) {
		key.words[1] = last_key_word(&packet, interface_slot, direction);
		slot = find_slot(&key, SLOT_IPV4, direction, &slot_number);
	} else {
		key.words[4] = last_key_word(&packet, interface_slot, direction);
		slot = find_slot(&key, SLOT_IPV6, direction, &slot_number);
	}
	if (!slot) {
		totals->overflow_packets += packet.packets;
		totals->overflow_bytes += packet.bytes;
		return TC_ACT_UNSPEC;
	}
	count_flow(slot, slot_number, direction, &packet);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int flow_from_pod(struct __sk_buff *skb)
{
	return observe(skb, FROM_POD);
}

SEC("tc")
int flow_to_pod(struct __sk_buff *skb)
{
	return observe(skb, TO_POD);
}

/* The kernel knows no word for "GPL-2.0-only OR Apache-2.0"; its helpers ask for the first. */
char LICENSE[] SEC("license") = "GPL";
