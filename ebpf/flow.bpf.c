// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What an skb passes through: an interface's dispatcher tail-calls one of the two programs at the end of this file. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "count.bpf.h"
#include "parse.bpf.h"
#include "parse_rest.bpf.h"

/* What these programs were compiled for; whoever opens or adopts their maps compares it with its own. */
const volatile __u32 flow_abi = FLOW_ABI;

/* Per-CPU totals need no atomics: TC runs with bottom halves disabled, so that nothing interrupts the addition. */
static __always_inline void count_totals(struct direction_totals *totals, const struct packet *packet)
{
	totals->seen_packets += packet->packets;
	totals->seen_bytes += packet->bytes;
}

static __always_inline int observe(struct __sk_buff *skb, enum flow_direction direction)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct interface_totals *interface;
	struct direction_totals *totals;
	struct workspace *work;
	struct packet *packet;
	struct flow_slot *slot;
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
	work = workspace_of(scratch_cpu);
	packet = &work->packet;
	if (!parse_plain(skb, direction, packet, &work->key))
		parse_rest(skb, direction);
	count_totals(totals, packet);
	if (packet->packet_class != CLASS_FLOW)
		count_class(interface_slot, direction, packet->packet_class, packet->packets, packet->bytes);
	if (packet->packet_class < FIRST_FLOW_CLASS) {
		totals->other_packets += packet->packets;
		totals->other_bytes += packet->bytes;
		return TC_ACT_UNSPEC;
	}
	set_last_word(&work->key, packet, interface_slot, direction);
	slot = find_slot(&work->key, packet->family, direction, interface_slot, &slot_number);
	if (!slot || !count_flow(skb, slot, slot_number, interface_slot, direction, packet)) {
		totals->overflow_packets += packet->packets;
		totals->overflow_bytes += packet->bytes;
	}
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
