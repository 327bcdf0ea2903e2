/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* TCP's health from sequence and acknowledgment numbers: retransmissions, gaps, round trips, closed windows. */
#ifndef PODWEIR_FOLLOW_BPF_H
#define PODWEIR_FOLLOW_BPF_H

#include "table.bpf.h"

#define LONGEST_ROUND_TRIP_NS 0x7fffffff /* above the last bound, and small enough for the multiplication */
#define NS_TO_2_POW_62 4611686018ULL     /* 2^62 / 10^9 */
#define FIRST_BOUND_LOG2 17              /* 2^-15 s in units of 2^-32 s */

/* Sequence numbers wrap. */
static __always_inline __s32 ahead(__u32 sequence, __u32 of)
{
	return sequence - of;
}

/* An acknowledgment of something that was sent twice can be of either (Karn). */
static __always_inline void drop_sample(struct flow_half *own, struct flow_half *other)
{
	if (!own->sampling)
		return;
	other->awaiting = 0;
	own->sampling = 0;
}

static __always_inline void start_sample(struct flow_half *own, struct flow_half *other, __u32 end, __u8 epoch)
{
	other->awaited = end;
	other->awaited_since_ns = bpf_ktime_get_ns();
	barrier_compiler();
	other->awaiting = epoch;
	own->sampling = epoch;
}

/* Smallest i with nanoseconds <= 2^(i - 15) s, at most 15. */
static __always_inline __u32 rtt_bucket(__u64 nanoseconds)
{
	__u64 fraction; /* of a second, 2^-32 s */
	__u32 log2 = 0;

	if (nanoseconds - 1 >= LONGEST_ROUND_TRIP_NS) /* 0, too */
		nanoseconds = nanoseconds ? LONGEST_ROUND_TRIP_NS : 1;
	fraction = ((nanoseconds * NS_TO_2_POW_62 >> 30) - 1) >> (FIRST_BOUND_LOG2 - 1);
#pragma unroll
	for (int i = 3; i >= 0; i--) {
		/* 2^i when there is something above so many bits, else 0: without a branch, of which the verifier
		 * walks both ways */
		__u64 shift = ((1ULL << (1 << i)) - 1 - fraction) >> 63 << i;

		barrier_var(shift);
		fraction >>= shift;
		log2 += shift;
	}
	return log2 < RTT_BUCKETS ? log2 : RTT_BUCKETS - 1;
}

/* `direction`: of the acknowledgment. */
__noinline int end_sample(__u32 slot_number, __u32 direction)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_half *own, *data;
	__u64 nanoseconds;

	if (!details || !slot)
		return 0; /* can't be */
	own = &slot->half[direction & 1];
	data = &slot->half[~direction & 1];
	nanoseconds = bpf_ktime_get_ns() - own->awaited_since_ns;
	own->awaiting = 0;
	data->sampling = 0;
	__sync_fetch_and_add(&details->rtt_buckets[~direction & 1][rtt_bucket(nanoseconds) & (RTT_BUCKETS - 1)], 1);
	__sync_fetch_and_add(&details->tcp[~direction & 1].rtt_sum_ns, nanoseconds);
	__sync_fetch_and_add(&data->events, 1);
	return 0;
}

/* A hole is filled from its beginning: what was left out of it is given up. So one who fills it and one who finds the
 * next on another CPU never write the same, and neither takes the other's packets for retransmissions. */
static __always_inline int fills_hole(struct flow_tcp *tcp, __u32 sequence, __u32 end)
{
	__u32 hole_end = tcp->hole_end;

	if (sequence - tcp->hole_start >= hole_end - tcp->hole_start)
		return 0;
	tcp->hole_start = ahead(hole_end, end) > 0 ? end : hole_end;
	return 1;
}

/* Keep-alive (RFC 9293, section 3.8.4) and window probe (3.8.6.1): one old byte to get an answer. */
static __always_inline int is_probe(const struct flow_half *own, const struct flow_half *other, __u32 length, __u32 end)
{
	return length == 1 && end == own->next_sequence && !(own->known & KNOWN_FIN) &&
	       (other->known & KNOWN_ZERO || (other->known & KNOWN_ACK && ahead(other->acknowledged, end) >= 0));
}

/* Something that ends where the sender has been before: a gap's filler, a probe that carries an old byte on purpose, or
 * a retransmission. `length` counts a FIN. Two CPUs that send for one connection swap packets now and then, and these
 * are no retransmissions: the newest gap tells them apart. */
__noinline int follow_old(__u32 slot_number, __u32 direction, __u32 sequence, __u32 length, __u32 packets)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_half *own, *other;
	struct flow_tcp *tcp;

	if (!details || !slot)
		return 0; /* can't be */
	own = &slot->half[direction & 1];
	other = &slot->half[~direction & 1];
	tcp = &details->tcp[direction & 1];
	if (fills_hole(tcp, sequence, sequence + length))
		__sync_fetch_and_add(&tcp->out_of_order, packets);
	else if (is_probe(own, other, length, sequence + length))
		return 0;
	else
		__sync_fetch_and_add(&tcp->retransmits, packets);
	__sync_fetch_and_add(&own->events, 1);
	drop_sample(own, other);
	return 0;
}

/* The sender has left out what is between its last byte and this packet. */
__noinline int follow_gap(__u32 slot_number, __u32 direction, __u32 sequence)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_half *own;

	if (!details || !slot)
		return 0; /* can't be */
	own = &slot->half[direction & 1];
	details->tcp[direction & 1].hole_start = own->next_sequence;
	details->tcp[direction & 1].hole_end = sequence;
	drop_sample(own, &slot->half[~direction & 1]);
	return 0;
}

/* `duplicate`: an acknowledgment sent once more, otherwise a window that closes. */
__noinline int count_ack_event(__u32 slot_number, __u32 direction, __u32 duplicate)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_tcp *tcp;

	if (!details || !slot)
		return 0; /* can't be */
	tcp = &details->tcp[direction & 1];
	__sync_fetch_and_add(duplicate ? &tcp->duplicate_acks : &tcp->zero_windows, 1);
	__sync_fetch_and_add(&slot->half[direction & 1].events, 1);
	return 0;
}

static __always_inline void follow_data(struct flow_half *own, struct flow_half *other, __u32 slot_number,
					__u32 direction, const struct packet *packet, __u32 length, __u8 epoch)
{
	__u32 end = packet->sequence + length;

	if (!(own->known & KNOWN_SEQUENCE)) {
		own->next_sequence = end;
		own->known |= KNOWN_SEQUENCE;
		return;
	}
	if (ahead(end, own->next_sequence) <= 0) {
		follow_old(slot_number, direction, packet->sequence, length, packet->packets);
		return;
	}
	if (ahead(packet->sequence, own->next_sequence) > 0)
		follow_gap(slot_number, direction, packet->sequence);
	else if (own->sampling != epoch)
		start_sample(own, other, end, epoch);
	own->next_sequence = end;
}

static __always_inline void follow_ack(struct flow_half *own, const struct flow_half *other, __u32 slot_number,
				       __u32 direction, const struct packet *packet, __u32 length, __u8 epoch)
{
	if (own->awaiting == epoch && ahead(packet->acknowledgment, own->awaited) >= 0)
		end_sample(slot_number, direction);
	if (!(own->known & KNOWN_ACK)) {
		own->acknowledged = packet->acknowledgment;
		own->known |= KNOWN_ACK;
	} else if (ahead(packet->acknowledgment, own->acknowledged) > 0) {
		own->acknowledged = packet->acknowledgment;
	} else if (!length && own->known & KNOWN_SEQUENCE && packet->acknowledgment == own->acknowledged &&
		   packet->window == own->window && packet->sequence == own->next_sequence &&
		   other->known & KNOWN_SEQUENCE && ahead(other->next_sequence, packet->acknowledgment) > 0) {
		count_ack_event(slot_number, direction, 1);
	}
	own->window = packet->window;
	if (packet->window) {
		if (own->known & KNOWN_ZERO)
			own->known &= ~KNOWN_ZERO;
	} else if (!(own->known & KNOWN_ZERO)) {
		own->known |= KNOWN_ZERO;
		count_ack_event(slot_number, direction, 0);
	}
}

/* A segment without SYN and RST. */
static __always_inline void follow(struct flow_slot *slot, __u32 slot_number, enum flow_direction direction,
				   const struct packet *packet, __u8 epoch)
{
	struct flow_half *own = &slot->half[direction], *other = &slot->half[!direction];
	__u32 length = packet->payload_bytes + (packet->tcp_flags & TCP_FIN);

	if (length)
		follow_data(own, other, slot_number, direction, packet, length, epoch);
	if (packet->tcp_flags & TCP_ACK)
		follow_ack(own, other, slot_number, direction, packet, length, epoch);
}

#endif
