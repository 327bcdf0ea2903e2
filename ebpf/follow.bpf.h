/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* TCP's health from sequence and acknowledgment numbers: retransmissions, gaps, closed windows. */
#ifndef PODWEIR_FOLLOW_BPF_H
#define PODWEIR_FOLLOW_BPF_H

#include "holes.bpf.h"
#include "round_trips.bpf.h"
#include "table.bpf.h"

#define WINDOW_OPEN 1 /* of one that was not seen yet */

/* What was learnt before details were turned off is not to be trusted: the sender went on meanwhile. */
static __always_inline void trust(struct flow_half *half, __u32 epoch)
{
	if (half->epoch == epoch)
		return;
	half->known &= ~(KNOWN_SEQUENCE | KNOWN_ACK);
	half->epoch = epoch;
}

static __always_inline int knows(const struct flow_half *half, __u8 known, __u32 epoch)
{
	return half->epoch == epoch && half->known & known;
}

/* How far from its last byte a sender can be: the largest window that the receiver can announce, which is its scale's
 * if we saw its SYN. */
static __always_inline __s32 reach_of(const struct flow_half *receiver, const struct flow_tcp *tcp)
{
	__u32 mask = -(receiver->known & KNOWN_SYN), scale; /* without a branch, for the verifier */

	barrier_var(mask);
	scale = TCP_LARGEST_WINDOW_SCALE ^ ((TCP_LARGEST_WINDOW_SCALE ^ tcp->window_scale) & mask);
	return 1U << 16 << (scale & 15);
}

/* Keep-alive (RFC 9293, section 3.8.4) and window probe (3.8.6.1): one old byte to get an answer. */
static __always_inline int is_probe(const struct flow_half *own, const struct flow_half *other, __u32 length, __u32 end)
{
	return length == 1 && end == own->next_sequence && !(own->known & KNOWN_FIN) &&
	       knows(other, KNOWN_ACK, own->epoch) && (!other->window || ahead(other->acknowledged, end) >= 0);
}

/* Of a segment that begins where the sender has been, and may end behind that if receiving merged it with the next. */
static __always_inline __u32 old_packets(__u32 packets, __u32 length, __u32 old_bytes)
{
	return old_bytes < length ? ((__u64)packets * old_bytes + length - 1) / length : packets;
}

enum order {
	ORDER_AHEAD = 0, /* or out of reach */
	ORDER_LATE = 1,
	ORDER_AGAIN = 2,
	ORDER_PROBE = 3,
};

/* Moves to where a segment ends that does not begin behind its sender's last byte. That leaves something out, or was
 * there before: a hole's filler, a probe that carries an old byte on purpose, or a retransmission. CPUs that send for
 * one connection overtake each other now and then, and what they send is not sent again: the holes tell, unless it was
 * acknowledged before. What is out of reach is of another connection, or we have missed much: following begins anew. */
static __always_inline enum order move_elsewhere(struct flow_half *own, const struct flow_half *other, __u64 *holes,
						 __s32 reach, __u32 sequence, __u32 length)
{
	__u32 next = own->next_sequence, end = sequence + length, found = find_hole(holes, sequence);
	__s32 step = ahead(sequence, next);

	if (ahead(end, next) > 0)
		own->next_sequence = end;
	if (step > reach || step < -reach) {
		own->next_sequence = end;
		forget_holes(holes);
		return ORDER_AHEAD;
	}
	if (step >= 0) { /* 0: a packet on another CPU has come up to here meanwhile */
		open_hole(holes, hole_between(next, sequence));
		return ORDER_AHEAD;
	}
	if (found && !(knows(other, KNOWN_ACK, own->epoch) && ahead(other->acknowledged, end) >= 0)) {
		fill_hole(holes, found, sequence, end);
		return ORDER_LATE;
	}
	return is_probe(own, other, length, end) ? ORDER_PROBE : ORDER_AGAIN;
}

/* `length` counts a FIN. */
__noinline int follow_elsewhere(__u32 slot_number, __u32 direction, __u32 sequence, __u32 length, __u32 packets)
{
	__u32 sender = slot_number << 1 | (direction & 1), lock_number = sender & (HOLE_LOCKS - 1);
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct hole_lock *lock = bpf_map_lookup_elem(&hole_locks, &lock_number);
	__u32 before, old, generation;
	struct flow_half *own, *other;
	__u64 *holes = holes_of(sender);
	struct flow_tcp *tcp;
	enum order order;
	__s32 reach;

	if (!details || !slot || !lock)
		return 0; /* can't be */
	own = &slot->half[direction & 1];
	other = &slot->half[opposite(direction)];
	tcp = &details->tcp[direction & 1];
	reach = reach_of(other, &details->tcp[opposite(direction)]);
	generation = details->identity.generation;
	bpf_spin_lock(&lock->lock);
	before = own->next_sequence;
	take_holes(holes, sender, generation);
	order = move_elsewhere(own, other, holes, reach, sequence, length);
	bpf_spin_unlock(&lock->lock);
	old = old_packets(packets, length, before - sequence);
	if (order == ORDER_PROBE)
		return 0;
	if (order == ORDER_LATE)
		__sync_fetch_and_add(&tcp->out_of_order, packets);
	if (order == ORDER_AGAIN)
		__sync_fetch_and_add(&tcp->retransmits, old);
	__sync_fetch_and_add(&own->events, order != ORDER_AHEAD);
	drop_sample(own, other);
	return 0;
}

/* An acknowledgment that is older than the newest one, by `step`, or the newest once more. Once more is a duplicate if
 * there is data that it does not acknowledge (RFC 5681, section 2), unless the window is closed: then it answers a
 * probe. Returns 0 when it is the newest one that is to be forgotten: it acknowledged more than was sent. */
__noinline int note_old_ack(__u32 slot_number, __u32 direction, __s32 step)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_half *own, *other;
	__s32 beyond;

	if (!details || !slot)
		return 1; /* can't be */
	own = &slot->half[direction & 1];
	other = &slot->half[opposite(direction)];
	if (!knows(other, KNOWN_SEQUENCE, own->epoch))
		return 1;
	beyond = ahead(own->acknowledged, other->next_sequence);
	if (step)
		return beyond <= 0;
	if (beyond < 0 && own->window) {
		__sync_fetch_and_add(&details->tcp[direction & 1].duplicate_acks, 1);
		__sync_fetch_and_add(&own->events, 1);
	}
	return 1;
}

__noinline int count_zero_window(__u32 slot_number, __u32 direction)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);

	if (!details || !slot)
		return 0; /* can't be */
	__sync_fetch_and_add(&details->tcp[direction & 1].zero_windows, 1);
	__sync_fetch_and_add(&slot->half[direction & 1].events, 1);
	return 0;
}

static __always_inline void follow_data(struct flow_half *own, struct flow_half *other, __u32 slot_number,
					__u32 direction, const struct packet *packet, __u32 length, __u32 epoch)
{
	__u32 end = packet->sequence + length;

	if (!(own->known & KNOWN_SEQUENCE)) {
		own->known |= KNOWN_SEQUENCE;
	} else if (packet->sequence != own->next_sequence) {
		follow_elsewhere(slot_number, direction, packet->sequence, length, packet->packets);
		return;
	} else if (own->sampling != epoch) {
		start_sample(own, other, end, epoch);
		if ((own->known & (KNOWN_SYN | KNOWN_DATA)) == KNOWN_SYN && packet->payload_bytes)
			note_first_data(slot_number, direction);
	}
	own->next_sequence = end;
}

static __always_inline void follow_ack(struct flow_half *own, __u32 slot_number, __u32 direction,
				       const struct packet *packet, __u32 length, __u32 epoch)
{
	__s32 step = ahead(packet->acknowledgment, own->acknowledged);

	if (own->awaiting == epoch && ahead(packet->acknowledgment, own->awaited) >= 0)
		end_sample(slot_number, direction, packet->acknowledgment);
	if (!(own->known & KNOWN_ACK)) {
		own->known |= KNOWN_ACK;
		own->window = WINDOW_OPEN;
	} else if (step < 0 || (!step && packet->window == own->window)) {
		/* with data, or a keep-alive */
		if (!step && (length || !(own->known & KNOWN_SEQUENCE) || packet->sequence != own->next_sequence))
			return;
		if (note_old_ack(slot_number, direction, step))
			return;
	}
	own->acknowledged = packet->acknowledgment;
	if (packet->window == own->window)
		return;
	own->window = packet->window;
	if (!packet->window)
		count_zero_window(slot_number, direction);
}

/* A segment without SYN and RST. */
static __always_inline void follow(struct flow_slot *slot, __u32 slot_number, enum flow_direction direction,
				   const struct packet *packet, __u32 epoch)
{
	struct flow_half *own = &slot->half[direction], *other = &slot->half[!direction];
	__u32 length = packet->payload_bytes + (packet->tcp_flags & TCP_FIN);

	trust(own, epoch);
	if (length)
		follow_data(own, other, slot_number, direction, packet, length, epoch);
	if (packet->tcp_flags & TCP_ACK)
		follow_ack(own, slot_number, direction, packet, length, epoch);
}

#endif
