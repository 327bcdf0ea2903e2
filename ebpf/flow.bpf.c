// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What an skb passes through: an interface's dispatcher tail-calls one of the programs at the end of this file, by the
 * frame's EtherType. */
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

/* What an skb is counted with. */
struct place {
	struct workspace *work;
	struct direction_totals *totals;
	__u32 interface_slot;
};

/* Counts the skb, whatever is in it. Returns 0 when there is no place, which can't be: the scratch has its one entry
 * from the start, and dispatchers carry slots below INTERFACE_SLOTS. */
static __always_inline int find_place(struct place *place, enum flow_direction direction, const struct __sk_buff *skb)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct interface_totals *interface;

	if (!scratch_cpu)
		return 0;
	place->interface_slot = scratch_cpu->interface_slot;
	interface = bpf_map_lookup_elem(&interface_totals, &place->interface_slot);
	if (!interface)
		return 0;
	place->work = workspace_of(scratch_cpu);
	place->totals = &interface->direction[direction];
	place->totals->skbs++;
	place->totals->skb_bytes += skb->len;
	return 1;
}

/* From the two counters of overflow to those of what is filtered. */
#define FILTERED_OFFSET                                                                                                \
	(offsetof(struct direction_totals, filtered_packets) - offsetof(struct direction_totals, overflow_packets))

/* Returns 0 when it is out of scope. */
static __always_inline int count_in_flow(struct __sk_buff *skb, const struct place *place,
					 enum flow_direction direction, const struct packet *packet,
					 union flow_key *key, __u32 family)
{
	__u64 is_left_out, *rest;
	struct flow_slot *slot;
	__u32 slot_number;

	set_last_word(key, packet, place->interface_slot, direction);
	slot = find_slot(place->work, key, family, direction, place->interface_slot, &slot_number);
	if (slot && count_flow(skb, place->work, slot, slot_number, place->interface_slot, direction, packet))
		return 1;
	/* Without a branch: the verifier would walk each way to the end. */
	is_left_out = place->work->is_left_out & 1;
	barrier_var(is_left_out);
	rest = (void *)place->totals + offsetof(struct direction_totals, overflow_packets) +
	       is_left_out * FILTERED_OFFSET;
	rest[0] += packet->packets;
	rest[1] += packet->bytes;
	return !is_left_out;
}

/* Of a frame that was parsed into the workspace. */
static __always_inline void count_parsed(struct __sk_buff *skb, const struct place *place,
					 enum flow_direction direction)
{
	struct packet *packet = &place->work->packet;

	count_totals(place->totals, packet);
	if (packet->packet_class < FIRST_FLOW_CLASS) {
		place->totals->other_packets += packet->packets;
		place->totals->other_bytes += packet->bytes;
	} else if (!count_in_flow(skb, place, direction, packet, &place->work->key, packet->family)) {
		/* What it quotes may be in scope. */
		if (packet->icmp)
			note_icmp(skb, NO_SLOT, place->interface_slot, direction);
		return;
	}
	if (packet->packet_class != CLASS_FLOW)
		count_class(place->interface_slot, direction, packet->packet_class, packet->packets, packet->bytes);
}

/* Plain IPv4 is most of what there is: it has its own copy of the way, without all that it can't be. */
static __always_inline int observe4(struct __sk_buff *skb, enum flow_direction direction)
{
	struct packet packet;
	union flow_key key;
	struct place place;

	if (!find_place(&place, direction, skb))
		return TC_ACT_UNSPEC;
	if (parse_plain4(skb, direction, &packet, &key)) {
		count_totals(place.totals, &packet);
		count_in_flow(skb, &place, direction, &packet, &key, SLOT_IPV4);
	} else {
		parse_frame4(skb, direction);
		count_parsed(skb, &place, direction);
	}
	return TC_ACT_UNSPEC;
}

static __always_inline int observe6(struct __sk_buff *skb, enum flow_direction direction)
{
	struct place place;

	if (!find_place(&place, direction, skb))
		return TC_ACT_UNSPEC;
	if (!parse_plain6(skb, direction, &place.work->packet, &place.work->key))
		parse_frame6(skb, direction);
	count_parsed(skb, &place, direction);
	return TC_ACT_UNSPEC;
}

static __always_inline int observe(struct __sk_buff *skb, enum flow_direction direction)
{
	struct place place;

	if (!find_place(&place, direction, skb))
		return TC_ACT_UNSPEC;
	parse_frame(skb, direction);
	count_parsed(skb, &place, direction);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int flow4_from_pod(struct __sk_buff *skb)
{
	return observe4(skb, FROM_POD);
}

SEC("tc")
int flow4_to_pod(struct __sk_buff *skb)
{
	return observe4(skb, TO_POD);
}

SEC("tc")
int flow6_from_pod(struct __sk_buff *skb)
{
	return observe6(skb, FROM_POD);
}

SEC("tc")
int flow6_to_pod(struct __sk_buff *skb)
{
	return observe6(skb, TO_POD);
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
