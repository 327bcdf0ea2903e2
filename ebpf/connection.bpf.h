/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* How a TCP connection begins and ends: SYN, SYN-ACK, the ACK of it, FIN and RST. Rare packets, each checked for
 * whether it fits the connection; steps of a handshake are a round trip apart, so that plain writes do. */
#ifndef PODWEIR_CONNECTION_BPF_H
#define PODWEIR_CONNECTION_BPF_H

#include "follow.bpf.h"
#include "tcp_options.bpf.h"

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

/* Read from the map and shifted: where CAP_PERFMON is missing the verifier refuses an index that is one constant on one
 * way and another on the next. */
static __always_inline __u32 opener_direction(const struct flow_identity *identity)
{
	_Static_assert(OPENER_LOCAL >> 1 == FROM_POD && OPENER_REMOTE >> 1 == TO_POD, "the opener's second bit");
	return *(const volatile __u8 *)&identity->opener >> 1 & 1;
}

/* Behind the SYN and the data that TCP Fast Open (RFC 7413) lets it carry. */
static __always_inline void begin_sequence(struct connection *connection, __u32 direction, __u32 scale, __u8 also_known)
{
	struct flow_half *half = &connection->slot->half[direction & 1];
	struct flow_tcp *tcp = &connection->details->tcp[direction & 1];
	const struct packet *packet = connection->packet;

	tcp->initial_sequence = packet->sequence;
	tcp->window_scale = scale;
	trust(half, tcp_detail);
	half->next_sequence = packet->sequence + 1 + packet->payload_bytes;
	half->acknowledged = packet->acknowledgment;
	half->window = packet->window;
	half->known |= KNOWN_SYN | KNOWN_SEQUENCE | also_known;
}

static __always_inline int repeats_sequence(const struct connection *connection, __u32 direction, __u8 known)
{
	return connection->slot->half[direction & 1].known & known &&
	       connection->details->tcp[direction & 1].initial_sequence == connection->packet->sequence;
}

static __always_inline void count_retransmit(struct connection *connection, __u32 direction)
{
	__sync_fetch_and_add(&connection->details->tcp[direction & 1].retransmits, connection->packet->packets);
	__sync_fetch_and_add(&connection->slot->half[direction & 1].events, 1);
}

/* Where the new connection has no slot of its own: the old one's, with its counters going on. */
__noinline __u32 begin_again(__u32 slot_number)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct flow_identity *identity;
	struct connection old;

	if (!look_up(&old, slot_number) || !scratch_cpu)
		return slot_number;
#pragma unroll
	for (int i = 0; i < DIRECTIONS; i++) {
		struct flow_half *half = &old.slot->half[i];

		forget_holes(holes_of(slot_number << 1 | i));
		half->handshake = HANDSHAKE_NONE;
		half->known = half->sampling = half->awaiting = 0;
	}
	identity = &old.details->identity;
	identity->opener = OPENER_UNKNOWN;
	identity->end = END_NONE;
	identity->unreachable = 0;
	identity->syn_ns = identity->last_syn_ns = identity->syn_ack_ns = identity->established_ns = 0;
	scratch_cpu->connections_merged++;
	return slot_number;
}

/* The packet belongs to a new connection. Inline: up to 6.6 the stacks of functions that call each other have 512 bytes
 * together, and this is where most of them do. */
static __always_inline __u32 begin_another(__u32 slot_number, __u32 direction)
{
	__u32 fresh_number = replace_flow(slot_number, direction);

	return fresh_number == slot_number ? begin_again(slot_number) : fresh_number;
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
	other = &here.slot->half[opposite(direction)];
	scale = window_scale(skb, here.packet->transport_offset);
	if (repeats_sequence(&here, direction, KNOWN_SYN)) {
		count_retransmit(&here, direction);
		identity->last_syn_ns = now;
		return slot_number;
	}
	if (other->handshake == HANDSHAKE_SYN && !(own->known & KNOWN_SYN) && !identity->end) {
		begin_sequence(&here, direction, scale, 0); /* simultaneous open */
		return slot_number;
	}
	if (own->packets || other->packets) {
		if (!identity->end && (own->handshake == HANDSHAKE_DONE || other->handshake == HANDSHAKE_DONE)) {
			identity->last_syn_ns = now;
			return slot_number;
		}
		slot_number = begin_another(slot_number, direction);
		if (!look_up(&here, slot_number))
			return slot_number;
		identity = &here.details->identity;
		own = &here.slot->half[direction & 1];
	}
	begin_sequence(&here, direction, scale, 0);
	identity->opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
	identity->syn_ns = identity->last_syn_ns = now;
	own->handshake = HANDSHAKE_SYN;
	return slot_number;
}

/* Whether it acknowledges the other side's SYN, with or without the data that the SYN carried. */
static __always_inline int acknowledges_syn(const struct connection *connection, __u32 direction)
{
	__u32 first = connection->details->tcp[opposite(direction)].initial_sequence + 1;

	return connection->packet->acknowledgment - first <=
	       connection->slot->half[opposite(direction)].next_sequence - first;
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
	other = &here.slot->half[opposite(direction)];
	scale = window_scale(skb, here.packet->transport_offset);
	if (repeats_sequence(&here, direction, KNOWN_SYN_ACK)) {
		count_retransmit(&here, direction);
		return slot_number;
	}
	if (other->known & KNOWN_SYN && other->handshake < HANDSHAKE_DONE && !acknowledges_syn(&here, direction))
		return slot_number; /* for nothing that we saw */
	if (own->handshake == HANDSHAKE_DONE || other->handshake == HANDSHAKE_DONE ||
	    (!((own->known | other->known) & KNOWN_SYN) && (own->packets || other->packets))) {
		/* the answer to a SYN that was taken for a stray one, or that we did not see */
		syn_ns = identity->last_syn_ns > identity->syn_ns ? identity->last_syn_ns : 0;
		slot_number = begin_another(slot_number, direction);
		if (!look_up(&here, slot_number))
			return slot_number;
		identity = &here.details->identity;
		own = &here.slot->half[direction & 1];
		identity->syn_ns = identity->last_syn_ns = syn_ns;
	}
	begin_sequence(&here, direction, scale, KNOWN_SYN_ACK | KNOWN_ACK);
	if (identity->opener == OPENER_UNKNOWN)
		identity->opener = direction == FROM_POD ? OPENER_REMOTE : OPENER_LOCAL;
	opening = &here.slot->half[opener_direction(identity) & 1];
	if (opening->handshake < HANDSHAKE_SYN_ACK)
		opening->handshake = HANDSHAKE_SYN_ACK;
	if (!identity->syn_ack_ns)
		identity->syn_ack_ns = now;
	return slot_number;
}

/* RFC 9293, section 3.10.7.4: inside the window that its receiver has announced, or where its sender was. */
static __always_inline int reset_fits(const struct connection *connection, __u32 direction)
{
	const struct flow_half *own = &connection->slot->half[direction & 1];
	const struct flow_half *other = &connection->slot->half[opposite(direction)];
	__u32 sequence = connection->packet->sequence;
	__u32 window = (__u32)other->window << (connection->details->tcp[opposite(direction)].window_scale & 15);
	__u32 epoch = tcp_detail;

	if (!epoch || (own->epoch != epoch && other->epoch != epoch))
		return own->packets || other->packets; /* what we know of them is old */
	if (knows(own, KNOWN_SEQUENCE, epoch) && sequence == own->next_sequence)
		return 1;
	return knows(other, KNOWN_ACK, epoch) && sequence - other->acknowledged <= window;
}

static __always_inline enum tcp_end end_by_reset(const struct connection *here, __u32 direction)
{
	__u32 opener = opener_direction(&here->details->identity);
	__u8 handshake = here->slot->half[opener & 1].handshake;

	if (handshake == HANDSHAKE_SYN && direction != opener)
		return here->packet->tcp_flags & TCP_ACK && acknowledges_syn(here, direction) ? END_REFUSED : END_NONE;
	if (handshake == HANDSHAKE_SYN || handshake == HANDSHAKE_SYN_ACK)
		return END_RESET_EARLY;
	if (!reset_fits(here, direction))
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
	other = &here.slot->half[opposite(direction)];
	if (here.packet->tcp_flags & TCP_RST) {
		here.details->tcp[direction & 1].resets++;
		__sync_fetch_and_add(&own->events, 1);
		end_connection(&here.details->identity, end_by_reset(&here, direction));
		return slot_number;
	}
	own->known |= KNOWN_FIN;
	if (other->known & KNOWN_FIN)
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
	slot->half[direction & 1].handshake = HANDSHAKE_DONE;
	return 0;
}

#endif
