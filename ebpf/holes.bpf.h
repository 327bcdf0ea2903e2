/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What TCP's senders have left out: what fills a hole comes late and was not sent again. Few connections have holes at
 * a time, so that these are kept apart, in a place that connections share: who needs it last has it, and what was
 * another's is forgotten. Kernel only. */
#ifndef PODWEIR_HOLES_BPF_H
#define PODWEIR_HOLES_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"

#define HOLE_SETS 2048 /* 144 KiB */
#define HOLES 8        /* the newest ones */

/* Words, since what packets of one connection on several CPUs share is read and written at once. The first one is the
 * owner's; a hole has its first sequence number below and the one behind its last above, equal when there is none. */
__u64 hole_sets[HOLE_SETS][1 + HOLES];

#define HOLE_LOCKS 256

/* Of the senders with the same rest of their numbers: what two packets out of order on two CPUs do must not mix. One in
 * order takes no lock. */
struct hole_lock {
	struct bpf_spin_lock lock;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, HOLE_LOCKS);
	__type(key, __u32);
	__type(value, struct hole_lock);
} hole_locks SEC(".maps");

static __always_inline __u64 hole_between(__u32 start, __u32 end)
{
	return (__u64)end << 32 | start;
}

/* `sender`: slot and direction. */
static __always_inline __u64 *holes_of(__u32 sender)
{
	return hole_sets[sender & (HOLE_SETS - 1)] + 1;
}

static __always_inline void open_hole(__u64 *holes, __u64 hole)
{
#pragma unroll
	for (int i = HOLES - 1; i > 0; i--)
		holes[i] = holes[i - 1];
	holes[0] = hole;
}

static __always_inline void forget_holes(__u64 *holes)
{
	__builtin_memset(holes, 0, HOLES * sizeof(*holes));
}

/* Its own, or empty. */
static __always_inline void take_holes(__u64 *holes, __u32 sender, __u32 generation)
{
	__u64 owner = (__u64)generation << 32 | sender;

	if (holes[-1] == owner)
		return;
	forget_holes(holes);
	holes[-1] = owner;
}

/* 1 + the number of the hole that it begins in, 0 when there is none. Without a branch, of which the verifier would
 * walk both ways; holes don't overlap. */
static __always_inline __u32 find_hole(const __u64 *holes, __u32 sequence)
{
	__u64 found = 0;

#pragma unroll
	for (int i = 0; i < HOLES; i++) {
		__u64 hole = holes[i];
		__u64 offset = sequence - (__u32)hole, bytes = (__u32)(hole >> 32) - (__u32)hole;
		__u64 inside = offset - bytes; /* the highest bit tells */

		barrier_var(inside);
		inside >>= 63;
		barrier_var(inside);
		found += inside * (i + 1);
	}
	return found;
}

/* `found`: of find_hole, not 0. */
static __always_inline void fill_hole(__u64 *holes, __u32 found, __u32 sequence, __u32 end)
{
	__u32 number = (found - 1) & (HOLES - 1);
	__u64 hole = holes[number];
	__u32 hole_start = hole, hole_end = hole >> 32;

	if ((__s32)(end - hole_end) > 0)
		end = hole_end;
	holes[number] = hole_between(end, hole_end);
	if (sequence != hole_start)
		open_hole(holes, hole_between(hole_start, sequence));
}

#endif
