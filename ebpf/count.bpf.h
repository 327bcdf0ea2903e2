/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A parsed packet to counters: the only writer of totals and of a flow's counts. Every packet is in exactly one place.
 */
#ifndef PODWEIR_COUNT_BPF_H
#define PODWEIR_COUNT_BPF_H

#include "connection.bpf.h"
#include "follow.bpf.h"
#include "icmp.bpf.h"

/* Of a packet that is no ordinary one of a flow. */
__noinline int count_class(__u32 interface_slot, __u32 direction, __u32 packet_class, __u64 packets, __u64 bytes)
{
	struct class_totals *totals = bpf_map_lookup_elem(&class_counts, &interface_slot);

	if (!totals)
		return 0; /* can't be */
	direction &= DIRECTIONS - 1;
	packet_class &= PACKET_CLASSES - 1;
	__sync_fetch_and_add(&totals->packets[direction][packet_class], packets);
	__sync_fetch_and_add(&totals->bytes[direction][packet_class], bytes);
	return 0;
}

/* A SYN may be the first of another connection, which has another slot: NULL when there is none. */
static __always_inline struct flow_slot *note_flags(struct __sk_buff *skb, struct workspace *work,
						    struct flow_slot *slot, __u32 *slot_number,
						    enum flow_direction direction, const struct packet *packet)
{
	if (slot->half[direction].handshake == HANDSHAKE_SYN_ACK &&
	    (packet->tcp_flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK)
		note_established(*slot_number, direction);
	if (!(packet->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)))
		return slot;
	work->packet = *packet;
	*slot_number = note_control(skb, *slot_number, direction);
	return bpf_map_lookup_elem(&slots, slot_number);
}

/* Returns 0 when the packet has no place: it is the caller's to count as overflow. */
static __always_inline int count_flow(struct __sk_buff *skb, struct workspace *work, struct flow_slot *slot,
				      __u32 slot_number, __u32 interface_slot, enum flow_direction direction,
				      const struct packet *packet)
{
	__u32 epoch = tcp_detail;

	if (packet->follow_tcp && slot_number < slot_limit) {
		slot = note_flags(skb, work, slot, &slot_number, direction, packet);
		if (!slot)
			return 0;
		if (epoch && !(packet->tcp_flags & (TCP_SYN | TCP_RST)))
			follow(slot, slot_number, direction, packet, epoch);
	} else if (packet->icmp) {
		note_icmp(skb, slot_number, interface_slot, direction);
	}
	__sync_fetch_and_add(&slot->half[direction].packets, packet->packets);
	__sync_fetch_and_add(&slot->half[direction].bytes, packet->bytes);
	return 1;
}

#endif
