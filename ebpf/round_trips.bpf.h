/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* From data to its acknowledgment: one sample of a sender at a time. */
#ifndef PODWEIR_ROUND_TRIPS_BPF_H
#define PODWEIR_ROUND_TRIPS_BPF_H

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

static __always_inline void start_sample(struct flow_half *own, struct flow_half *other, __u32 end, __u32 epoch)
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
	/* 1 when it is too long, or less than nothing. A branch would leave a constant on one of its ways, and with
	 * that the verifier refuses to index unless there is CAP_PERFMON. */
	__u64 over = ((LONGEST_ROUND_TRIP_NS - nanoseconds) | nanoseconds) >> 63;
	__u64 fraction; /* of a second, 2^-32 s */
	__u32 log2 = 0;

	barrier_var(over);
	nanoseconds = (nanoseconds & (over - 1)) | (over * LONGEST_ROUND_TRIP_NS);
	nanoseconds += (nanoseconds - 1) >> 63; /* 0 counts as 1 */
	fraction = ((nanoseconds * NS_TO_2_POW_62 >> 30) - 1) >> (FIRST_BOUND_LOG2 - 1);
	barrier_var(fraction);
#pragma unroll
	for (int i = 3; i >= 0; i--) {
		/* 2^i when there is something above so many bits, else 0: without a branch, of which the verifier
		 * walks both ways */
		__u64 shift = ((1ULL << (1 << i)) - 1 - fraction) >> 63 << i;

		barrier_var(shift);
		fraction >>= shift;
		log2 += shift;
	}
	return log2;
}

/* `direction`: of the acknowledgment. What acknowledges more than was sent is nobody's. */
__noinline int end_sample(__u32 slot_number, __u32 direction, __u32 acknowledgment)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_half *own, *data;
	__u64 nanoseconds;

	if (!details || !slot)
		return 0; /* can't be */
	own = &slot->half[direction & 1];
	data = &slot->half[opposite(direction)];
	if (ahead(acknowledgment, data->next_sequence) > 0)
		return 0;
	nanoseconds = bpf_ktime_get_ns() - own->awaited_since_ns;
	own->awaiting = 0;
	data->sampling = 0;
	__sync_fetch_and_add(&details->rtt_buckets[opposite(direction)][rtt_bucket(nanoseconds) & (RTT_BUCKETS - 1)],
			     1);
	__sync_fetch_and_add(&details->tcp[opposite(direction)].rtt_sum_ns, nanoseconds);
	__sync_fetch_and_add(&data->events, 1);
	return 0;
}

/* A sender's first data begins a round-trip sample: there, and nowhere else, is it looked for. */
__noinline int note_first_data(__u32 slot_number, __u32 direction)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);

	if (!details || !slot)
		return 0; /* can't be */
	details->first_data_ns[direction & 1] = bpf_ktime_get_ns();
	barrier_compiler();
	slot->half[direction & 1].known |= KNOWN_DATA;
	__sync_fetch_and_add(&slot->half[direction & 1].events, 1);
	return 0;
}

#endif
