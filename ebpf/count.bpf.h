/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Flow key to slot, and wire sizes to counters: the only writer of slots and totals. What finds no slot goes to
 * the interface's overflow counters, so that every packet is in exactly one place. */
#ifndef PODWEIR_COUNT_BPF_H
#define PODWEIR_COUNT_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

#define NO_SLOT 0xffffffff
#define barrier_compiler() asm volatile("" ::: "memory")

static const __u32 zero;

/* The upper bits depend on all bits of both words. */
static __always_inline __u64 mix(__u64 high, __u64 low)
{
	return high * 0x9e3779b97f4a7c15ULL ^ low * 0xc2b2ae3d27d4eb4fULL;
}

static __always_inline __u64 hash_of(const union flow_key *key, enum slot_state family)
{
	const __u64 *words = key->words;

	if (family == SLOT_IPV4)
		return mix(words[0], words[1]);
	return mix(mix(words[0], words[1]) ^ words[4], mix(words[2], words[3]));
}

static __always_inline int same_key(const struct flow_counters *counters, const union flow_key *key,
				    enum slot_state family)
{
	const __u64 *words = (const __u64 *)&counters->key6;
	__u64 difference = (words[0] ^ key->words[0]) | (words[1] ^ key->words[1]);

	if (family == SLOT_IPV6)
		difference |= (words[2] ^ key->words[2]) | (words[3] ^ key->words[3]) | (words[4] ^ key->words[4]);
	return !difference;
}

/* The set's number and the entry's tag share the upper half of the hash. */
static __always_inline __u32 tag_of(__u64 hash)
{
	return hash >> (32 - FRONT_CACHE_BITS) & FRONT_CACHE_TAG;
}

/* The slot that the set names for this tag, the newest if there are several, or any slot. Without a branch: which entry
 * it is can't be predicted, and a wrong guess comes out only when the set's cache line has arrived. */
static __always_inline __u32 cached_slot(const volatile __u32 *set, __u32 tag)
{
	__u64 found = set[FRONT_CACHE_WAYS - 1];

#pragma unroll
	for (int i = FRONT_CACHE_WAYS - 2; i >= 0; i--) {
		__u64 entry = set[i];
		/* all ones for the same tag, else 0 */
		__u64 mask = (__s64)(((entry ^ tag) & FRONT_CACHE_TAG) - 1) >> 63;

		/* or the compiler makes a branch of it */
		barrier_var(mask);
		found ^= (found ^ entry) & mask;
	}
	return found & ~FRONT_CACHE_TAG;
}

static __always_inline void remember_slot(volatile __u32 *set, __u32 tag, __u32 slot_number)
{
#pragma unroll
	for (int i = FRONT_CACHE_WAYS - 1; i > 0; i--)
		set[i] = set[i - 1];
	set[0] = tag | slot_number;
}

/* Gives back a slot that no index names. Full can't be: there are as many places as slots. */
static __always_inline void push_free(__u32 slot_number, struct cpu_scratch *scratch_cpu)
{
	if (bpf_map_push_elem(&free_slots, &slot_number, BPF_ANY))
		scratch_cpu->slot_push_failed++;
}

/* From here on user space and the front cache may take the slot for this flow. User space looks at the first line. */
static __always_inline void publish(struct flow_slot *slot, enum slot_state family)
{
	barrier_compiler();
	slot->counters[TO_POD].state = family;
	barrier_compiler();
	slot->counters[FROM_POD].state = family;
}

/* Takes a free slot for a new flow and publishes it. Two CPUs may meet here with the same flow: the index takes one. */
static __noinline __u32 start_flow(const union flow_key *key, __u32 family, __u32 direction)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct flow_details *details;
	struct flow_slot *slot;
	__u32 slot_number, *winner;
	long failed;

	if (!scratch_cpu || !key || bpf_map_pop_elem(&free_slots, &slot_number))
		return NO_SLOT;
	slot = bpf_map_lookup_elem(&slots, &slot_number);
	details = bpf_map_lookup_elem(&slot_details, &slot_number);
	if (!slot || !details)
		return NO_SLOT; /* can't be: the stack holds numbers of slots */
	details->identity.started_ns = bpf_ktime_get_ns();
	details->identity.first_direction = direction;
	if (family == SLOT_IPV4) {
		slot->counters[FROM_POD].key4 = slot->counters[TO_POD].key4 = key->v4;
		failed = bpf_map_update_elem(&index4, &key->v4, &slot_number, BPF_NOEXIST);
	} else {
		slot->counters[FROM_POD].key6 = slot->counters[TO_POD].key6 = key->v6;
		failed = bpf_map_update_elem(&index6, &key->v6, &slot_number, BPF_NOEXIST);
	}
	if (!failed) {
		publish(slot, family);
		return slot_number;
	}
	__builtin_memset(slot, 0, sizeof(*slot));
	push_free(slot_number, scratch_cpu);
	/* -EEXIST: another CPU added it first, the look-up finds theirs. */
	winner = family == SLOT_IPV4 ? bpf_map_lookup_elem(&index4, &key->v4) : bpf_map_lookup_elem(&index6, &key->v6);
	if (winner)
		return *winner;
	scratch_cpu->index_insert_failed++;
	return NO_SLOT;
}

/* A retired slot fails the comparison of the state, a re-used one that of the key: then the index decides. */
static __always_inline struct flow_slot *find_slot(const union flow_key *key, enum slot_state family,
						   enum flow_direction direction, __u32 *slot_number)
{
	__u64 hash = hash_of(key, family);
	volatile __u32 *set = front_cache[hash >> (64 - FRONT_CACHE_BITS)];
	struct flow_slot *slot;
	__u32 *indexed;

	*slot_number = cached_slot(set, tag_of(hash));
	slot = bpf_map_lookup_elem(&slots, slot_number);
	if (slot && slot->counters[direction].state == family && same_key(&slot->counters[direction], key, family))
		return slot;
	indexed = family == SLOT_IPV4 ? bpf_map_lookup_elem(&index4, &key->v4) : bpf_map_lookup_elem(&index6, &key->v6);
	*slot_number = indexed ? *indexed : start_flow(key, family, direction);
	slot = bpf_map_lookup_elem(&slots, slot_number);
	if (slot)
		remember_slot(set, tag_of(hash), *slot_number);
	return slot;
}

static __always_inline void remember_sequence(struct flow_tcp *tcp, enum flow_direction direction, __u32 sequence)
{
	tcp->initial_sequence[direction] = sequence;
	tcp->initial_sequence_known[direction] = 1;
}

/* A SYN that isn't a retransmission begins another connection on the tuple. Handshakes are in sequence, a round trip
 * between the steps, so plain writes do; the count of earlier ones moves here alone, never on the racy last step. */
static __always_inline void note_syn(struct flow_slot *slot, struct flow_details *details,
				     enum flow_direction direction, const struct packet *packet)
{
	struct flow_tcp *tcp = &details->tcp;
	struct flow_counters *own = &slot->counters[direction], *other = &slot->counters[!direction];

	if (tcp->initial_sequence_known[direction] && tcp->initial_sequence[direction] == packet->sequence)
		return;
	remember_sequence(tcp, direction, packet->sequence);
	tcp->initial_sequence_known[!direction] = 0;
	details->identity.opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
	if (own->handshake == HANDSHAKE_DONE)
		own->earlier_opened++;
	own->handshake = HANDSHAKE_SYN;
	if (other->handshake != HANDSHAKE_DONE)
		other->handshake = HANDSHAKE_NONE;
}

static __always_inline void note_syn_ack(struct flow_slot *slot, struct flow_details *details,
					 enum flow_direction direction, const struct packet *packet)
{
	struct flow_identity *identity = &details->identity;
	struct flow_counters *opening;

	remember_sequence(&details->tcp, direction, packet->sequence);
	if (identity->opener == OPENER_UNKNOWN)
		identity->opener = direction == FROM_POD ? OPENER_REMOTE : OPENER_LOCAL;
	opening = &slot->counters[identity->opener == OPENER_LOCAL ? FROM_POD : TO_POD];
	if (opening->handshake < HANDSHAKE_SYN_ACK)
		opening->handshake = HANDSHAKE_SYN_ACK;
}

static __always_inline void note_handshake(struct flow_slot *slot, __u32 slot_number, enum flow_direction direction,
					   const struct packet *packet)
{
	struct flow_counters *own = &slot->counters[direction];
	struct flow_details *details;

	if (!(packet->tcp_flags & TCP_SYN)) {
		if (own->handshake == HANDSHAKE_SYN_ACK && (packet->tcp_flags & (TCP_ACK | TCP_RST)) == TCP_ACK)
			own->handshake = HANDSHAKE_DONE;
		return;
	}
	details = bpf_map_lookup_elem(&slot_details, &slot_number);
	if (!details)
		return;
	if (packet->tcp_flags & TCP_ACK)
		note_syn_ack(slot, details, direction, packet);
	else
		note_syn(slot, details, direction, packet);
}

static __always_inline void count_flow(struct flow_slot *slot, __u32 slot_number, enum flow_direction direction,
				       const struct packet *packet)
{
	struct flow_counters *counters = &slot->counters[direction];
	struct flow_details *details;

	__sync_fetch_and_add(&counters->packets, packet->packets);
	__sync_fetch_and_add(&counters->bytes, packet->bytes);
	if (packet->protocol == IPPROTO_TCP && !(packet->flags & FLOW_FRAGMENT)) {
		note_handshake(slot, slot_number, direction, packet);
		return;
	}
	if (!packet->echo_request)
		return;
	details = bpf_map_lookup_elem(&slot_details, &slot_number);
	if (details && details->identity.opener == OPENER_UNKNOWN)
		details->identity.opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
}

#endif
