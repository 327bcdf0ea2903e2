/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The lossy cache in front of the index: from a flow's hash to the slot that it probably has. */
#ifndef PODWEIR_FRONT_CACHE_BPF_H
#define PODWEIR_FRONT_CACHE_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"

/* Lossy: the newest entry of a set comes first, the oldest is forgotten. The slot's own key decides, so that a stale,
 * mixed or foreign entry costs a hash look-up and nothing else. Kernel only. */
__u32 front_cache[1 << FRONT_CACHE_BITS][FRONT_CACHE_WAYS];

/* The upper bits depend on all bits of both words. */
static __always_inline __u64 mix(__u64 high, __u64 low)
{
	return high * 0x9e3779b97f4a7c15ULL ^ low * 0xc2b2ae3d27d4eb4fULL;
}

/* The set's number and the entry's tag share the upper half of the hash. */
static __always_inline __u32 tag_of(__u64 hash)
{
	return hash >> (32 - FRONT_CACHE_BITS) & FRONT_CACHE_TAG;
}

/* The slot that the set names for this tag, the newest if there are several, or any slot. The newest entry by a branch:
 * with few busy flows it is nearly always that one. The others without: which of them it is can't be predicted, and a
 * wrong guess comes out only when the set's cache line has arrived. */
static __always_inline __u32 cached_slot(const volatile __u32 *set, __u32 tag)
{
	__u64 first = set[0], found = set[FRONT_CACHE_WAYS - 1];

	if (!((first ^ tag) & FRONT_CACHE_TAG))
		return first & ~FRONT_CACHE_TAG;

#pragma unroll
	for (int i = FRONT_CACHE_WAYS - 2; i > 0; i--) {
		__u64 entry = set[i];
		/* all ones for the same tag, else 0 */
		__u64 mask = (__s64)(((entry ^ tag) & FRONT_CACHE_TAG) - 1) >> 63;

		/* or the compiler makes a branch of it */
		barrier_var(mask);
		found ^= (found ^ entry) & mask;
	}
	return found & ~FRONT_CACHE_TAG;
}

/* The other half of a pair of sets: in it is what the first has lately pushed out. */
static __always_inline volatile __u32 *neighbour_of(__u64 hash)
{
	return front_cache[hash >> (64 - FRONT_CACHE_BITS) ^ 1];
}

static __always_inline volatile __u32 *set_of(__u64 hash)
{
	return front_cache[hash >> (64 - FRONT_CACHE_BITS)];
}

static __always_inline void remember_slot(__u64 hash, __u32 slot_number)
{
	volatile __u32 *set = set_of(hash);

	neighbour_of(hash)[FRONT_CACHE_WAYS - 1] = set[FRONT_CACHE_WAYS - 1];
#pragma unroll
	for (int i = FRONT_CACHE_WAYS - 1; i > 0; i--)
		set[i] = set[i - 1];
	set[0] = tag_of(hash) | slot_number;
}

#endif
