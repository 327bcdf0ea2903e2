/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How a TCP connection begins and ends: SYN, SYN-ACK, the ACK of it, FIN and RST. Rare packets, each checked for
 * whether it fits the connection; steps of a handshake are a round trip apart, so that plain writes do. */
#ifndef PODWEIR_CONNECTION_BPF_H
#define PODWEIR_CONNECTION_BPF_H

#include "table.bpf.h"

#define MOST_OPTIONS 10 /* 40 bytes have room for more only if they say nothing */

struct connection {
	struct flow_slot *slot;
	struct flow_details *details;
	const struct packet *packet;
};

static __always_inline int look_up(struct connection *connection, __u32 slot_number)
{
	struct workspace *work = own_workspace();

	connection->slot = bpf_map_lookup_elem(&slots, &slot_number);
	connection->details = bpf_map_lookup_elem(&slot_details, &slot_number);
	connection->packet = &work->packet;
	return work && connection->slot && connection->details;
}

static __always_inline __u32 opener_direction(const struct flow_identity *identity)
{
	return identity->opener == OPENER_REMOTE ? TO_POD : FROM_POD;
}

#define OPTION_IS_SCALE 0x100 /* the lower byte is the shift, and not the option's length */

/* The option at `offset`, which has `bytes` left: its length, or the shift of a window scale, or 0 at the end. */
__noinline __u32 read_option(struct __sk_buff *skb, __u32 offset, __u32 bytes)
{
	__u8 option[TCP_OPTION_WINDOW_SCALE_BYTES] = {};

	if (!bytes || bpf_skb_load_bytes(skb, offset, option, 1) || option[0] == TCP_OPTION_END)
		return 0;
	if (option[0] == TCP_OPTION_NOP)
		return 1;
	if (bytes < 2 || bpf_skb_load_bytes(skb, offset, option, 2) || option[1] < 2)
		return 0;
	if (option[0] != TCP_OPTION_WINDOW_SCALE)
		return option[1];
	if (bytes < sizeof(option) || bpf_skb_load_bytes(skb, offset, option, sizeof(option)))
		return 0;
	return OPTION_IS_SCALE | (option[2] < TCP_LARGEST_WINDOW_SCALE ? option[2] : TCP_LARGEST_WINDOW_SCALE);
}

/* RFC 7323, section 2.2; 0 without the option. `offset`: of the TCP header. */
__noinline __u32 window_scale(struct __sk_buff *skb, __u32 offset)
{
	__u32 end, option;
	__u8 words;

	if (bpf_skb_load_bytes(skb, offset + offsetof(struct tcp_header, offset), &words, sizeof(words)))
		return 0;
	end = offset + (words >> 4) * 4;
	offset += sizeof(struct tcp_header);
	for (int i = 0; i < MOST_OPTIONS; i++) {
		if (offset >= end)
			return 0;
		option = read_option(skb, offset, end - offset);
		if (!option)
			return 0;
		if (option & OPTION_IS_SCALE)
			return option & 0xff;
		offset += option;
	}
	return 0;
}

/* Behind the SYN and the data that TCP Fast Open (RFC 7413) lets it carry. */
static __always_inline void begin_sequence(struct flow_tcp *tcp, const struct packet *packet, __u32 scale,
					   __u8 also_known)
{
	tcp->initial_sequence = packet->sequence;
	tcp->next_sequence = packet->sequence + 1 + packet->payload_bytes;
	tcp->window_scale = scale;
	tcp->known |= KNOWN_SYN | KNOWN_SEQUENCE | also_known;
}

/* The packet belongs to a new connection: a slot of its own, or else the old one's with its counters going on. */
__noinline __u32 begin_another(__u32 slot_number, __u32 direction)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	__u32 fresh_number = replace_flow(slot_number, direction);
	struct flow_identity *identity;
	struct connection old;

	if (fresh_number != slot_number || !look_up(&old, slot_number) || !scratch_cpu)
		return fresh_number;
#pragma unroll
	for (int i = 0; i < DIRECTIONS; i++) {
		struct flow_half *half = &old.slot->half[i];

		half->counters.handshake = HANDSHAKE_NONE;
		half->tcp.known = half->tcp.sampling = half->tcp.awaiting = 0;
	}
	identity = &old.details->identity;
	identity->opener = OPENER_UNKNOWN;
	identity->end = END_NONE;
	identity->unreachable = 0;
	identity->syn_ns = identity->last_syn_ns = identity->syn_ack_ns = identity->established_ns = 0;
	scratch_cpu->connections_merged++;
	return slot_number;
}

/* A SYN on a living connection is answered with a challenge ACK (RFC 5961, section 4): only its time is kept. Returns
 * the slot that the packet counts in. */
__noinline __u32 note_syn(struct __sk_buff *skb, __u32 slot_number, __u32 direction)
{
	struct flow_half *own, *other;
	struct flow_identity *identity;
	struct connection here;
	__u64 now = bpf_ktime_get_ns();
	__u32 scale;

	if (!look_up(&here, slot_number))
		return slot_number;
	identity = &here.details->identity;
	own = &here.slot->half[direction & 1];
	other = &here.slot->half[~direction & 1];
	scale = window_scale(skb, here.packet->transport_offset);
	if (own->tcp.known & KNOWN_SYN && own->tcp.initial_sequence == here.packet->sequence) {
		__sync_fetch_and_add(&own->tcp.retransmits, here.packet->packets);
		identity->last_syn_ns = now;
		return slot_number;
	}
	if (other->counters.handshake == HANDSHAKE_SYN && !(own->tcp.known & KNOWN_SYN) && !identity->end) {
		begin_sequence(&own->tcp, here.packet, scale, 0); /* simultaneous open */
		return slot_number;
	}
	if (own->counters.packets || other->counters.packets) {
		if (!identity->end &&
		    (own->counters.handshake == HANDSHAKE_DONE || other->counters.handshake == HANDSHAKE_DONE)) {
			identity->last_syn_ns = now;
			return slot_number;
		}
		slot_number = begin_another(slot_number, direction);
		if (!look_up(&here, slot_number))
			return slot_number;
		identity = &here.details->identity;
		own = &here.slot->half[direction & 1];
	}
	begin_sequence(&own->tcp, here.packet, scale, 0);
	identity->opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
	identity->syn_ns = identity->last_syn_ns = now;
	own->counters.handshake = HANDSHAKE_SYN;
	return slot_number;
}

/* Whether a SYN-ACK acknowledges the opener's SYN, with or without the data that the SYN carried. */
static __always_inline int acknowledges_syn(const struct flow_tcp *opener, const struct packet *packet)
{
	return packet->acknowledgment - opener->initial_sequence - 1 <=
	       opener->next_sequence - opener->initial_sequence - 1;
}

__noinline __u32 note_syn_ack(struct __sk_buff *skb, __u32 slot_number, __u32 direction)
{
	struct flow_half *own, *other, *opening;
	struct flow_identity *identity;
	__u64 now = bpf_ktime_get_ns(), syn_ns;
	struct connection here;
	__u32 scale;

	if (!look_up(&here, slot_number))
		return slot_number;
	identity = &here.details->identity;
	own = &here.slot->half[direction & 1];
	other = &here.slot->half[~direction & 1];
	scale = window_scale(skb, here.packet->transport_offset);
	if (own->tcp.known & KNOWN_SYN_ACK && own->tcp.initial_sequence == here.packet->sequence) {
		__sync_fetch_and_add(&own->tcp.retransmits, here.packet->packets);
		return slot_number;
	}
	if (other->tcp.known & KNOWN_SYN && other->counters.handshake < HANDSHAKE_DONE &&
	    !acknowledges_syn(&other->tcp, here.packet))
		return slot_number; /* for nothing that we saw */
	if (own->counters.handshake == HANDSHAKE_DONE || other->counters.handshake == HANDSHAKE_DONE ||
	    (!((own->tcp.known | other->tcp.known) & KNOWN_SYN) &&
	     (own->counters.packets || other->counters.packets))) {
		/* the answer to a SYN that was taken for a stray one, or that we did not see */
		syn_ns = identity->last_syn_ns > identity->syn_ns ? identity->last_syn_ns : 0;
		slot_number = begin_another(slot_number, direction);
		if (!look_up(&here, slot_number))
			return slot_number;
		identity = &here.details->identity;
		own = &here.slot->half[direction & 1];
		identity->syn_ns = identity->last_syn_ns = syn_ns;
	}
	begin_sequence(&own->tcp, here.packet, scale, KNOWN_SYN_ACK);
	if (identity->opener == OPENER_UNKNOWN)
		identity->opener = direction == FROM_POD ? OPENER_REMOTE : OPENER_LOCAL;
	opening = &here.slot->half[opener_direction(identity) & 1];
	if (opening->counters.handshake < HANDSHAKE_SYN_ACK)
		opening->counters.handshake = HANDSHAKE_SYN_ACK;
	if (!identity->syn_ack_ns)
		identity->syn_ack_ns = now;
	return slot_number;
}

/* RFC 9293, section 3.10.7.4: inside the window that its receiver has announced, or where its sender was. */
static __always_inline int reset_fits(const struct flow_tcp *own, const struct flow_tcp *other, __u32 sequence)
{
	if (own->known & KNOWN_SEQUENCE && sequence == own->next_sequence)
		return 1;
	return other->known & KNOWN_ACK && sequence - other->acknowledged <= (__u32)other->window
										     << other->window_scale;
}

static __always_inline enum tcp_end end_by_reset(const struct connection *here, __u32 direction)
{
	const struct flow_half *own = &here->slot->half[direction & 1], *other = &here->slot->half[~direction & 1];
	const struct flow_identity *identity = &here->details->identity;
	__u32 opener = opener_direction(identity);
	__u8 handshake = here->slot->half[opener & 1].counters.handshake;

	if (handshake == HANDSHAKE_SYN && direction != opener)
		return here->packet->tcp_flags & TCP_ACK && acknowledges_syn(&other->tcp, here->packet) ? END_REFUSED
													: END_NONE;
	if (handshake == HANDSHAKE_SYN || handshake == HANDSHAKE_SYN_ACK)
		return END_RESET_EARLY;
	if (!reset_fits(&own->tcp, &other->tcp, here->packet->sequence))
		return END_NONE;
	return direction == FROM_POD ? END_RESET_BY_LOCAL : END_RESET_BY_REMOTE;
}

static __always_inline void end_connection(struct flow_identity *identity, enum tcp_end end)
{
	if (identity->end || end == END_NONE)
		return;
	identity->ended_ns = bpf_ktime_get_ns();
	barrier_compiler();
	identity->end = end;
}

__noinline __u32 note_end(__u32 slot_number, __u32 direction)
{
	struct flow_half *own, *other;
	struct connection here;

	if (!look_up(&here, slot_number))
		return slot_number;
	own = &here.slot->half[direction & 1];
	other = &here.slot->half[~direction & 1];
	if (here.packet->tcp_flags & TCP_RST) {
		own->tcp.resets++;
		end_connection(&here.details->identity, end_by_reset(&here, direction));
		return slot_number;
	}
	own->tcp.known |= KNOWN_FIN;
	if (other->tcp.known & KNOWN_FIN)
		end_connection(&here.details->identity, END_FIN);
	return slot_number;
}

/* Of the packet in the workspace, which has one of the three flags. Returns the slot that it counts in. What has two of
 * them is nobody's TCP and changes nothing. */
__noinline __u32 note_control(struct __sk_buff *skb, __u32 slot_number, __u32 direction)
{
	struct workspace *work = own_workspace();
	__u8 flags;

	if (!work)
		return slot_number; /* can't be */
	flags = work->packet.tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK);
	if (flags == TCP_SYN)
		return note_syn(skb, slot_number, direction);
	if (flags == (TCP_SYN | TCP_ACK))
		return note_syn_ack(skb, slot_number, direction);
	return flags & TCP_SYN ? slot_number : note_end(slot_number, direction);
}

/* The opener's first packet after the SYN-ACK. */
__noinline int note_established(__u32 slot_number, __u32 direction)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);

	if (!details || !slot)
		return 0; /* can't be */
	if (!details->identity.established_ns)
		details->identity.established_ns = bpf_ktime_get_ns();
	barrier_compiler();
	slot->half[direction & 1].counters.handshake = HANDSHAKE_DONE;
	return 0;
}

#endif
