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

static __always_inline __u64 mix(__u64 high, __u64 low)
{
	__u64 hash = high * 0x9e3779b97f4a7c15ULL ^ low * 0xc2b2ae3d27d4eb4fULL;

	return hash ^ hash >> 29;
}

static __always_inline int same_key4(const struct flow_key4 *a, const struct flow_key4 *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

static __always_inline int same_key6(const struct flow_key6 *a, const struct flow_key6 *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;
	__u32 difference = 0;

#pragma unroll
	for (int i = 0; i < (int)(sizeof(*a) / sizeof(__u32)); i++)
		difference |= x[i] ^ y[i];
	return !difference;
}

/* Gives back a slot that no index names. Full can't be: there are as many places as slots. */
static __always_inline void push_free(__u32 slot_number, struct cpu_scratch *scratch_cpu)
{
	if (bpf_map_push_elem(&free_slots, &slot_number, BPF_ANY))
		scratch_cpu->slot_push_failed++;
}

/* Takes a free slot for a new flow and publishes it. Two CPUs may meet here with the same flow: the index takes one. */
static __noinline __u32 start_flow(const union flow_key *key, __u32 family, __u32 direction)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct flow_slot *slot;
	__u32 slot_number, *winner;
	long failed;

	if (!scratch_cpu || !key || bpf_map_pop_elem(&free_slots, &slot_number))
		return NO_SLOT;
	slot = bpf_map_lookup_elem(&slots, &slot_number);
	if (!slot)
		return NO_SLOT;
	slot->identity.started_ns = bpf_ktime_get_ns();
	slot->identity.first_direction = direction;
	if (family == 4) {
		slot->identity.key4 = key->v4;
		failed = bpf_map_update_elem(&index4, &key->v4, &slot_number, BPF_NOEXIST);
	} else {
		slot->identity.key6 = key->v6;
		failed = bpf_map_update_elem(&index6, &key->v6, &slot_number, BPF_NOEXIST);
	}
	if (!failed) {
		/* From here on user space and the front cache may take the slot for this flow. */
		barrier_compiler();
		slot->identity.state = family;
		return slot_number;
	}
	__builtin_memset(&slot->identity.key6, 0, sizeof(slot->identity.key6));
	push_free(slot_number, scratch_cpu);
	/* -EEXIST: another CPU added it first, the look-up finds theirs. */
	winner = family == 4 ? bpf_map_lookup_elem(&index4, &key->v4) : bpf_map_lookup_elem(&index6, &key->v6);
	if (winner)
		return *winner;
	scratch_cpu->index_insert_failed++;
	return NO_SLOT;
}

/* A retired slot fails the comparison of the state, a re-used one that of the key: then the index decides. */
static __always_inline struct flow_slot *find_slot4(const union flow_key *key, enum flow_direction direction)
{
	const __u64 *words = (const __u64 *)key;
	__u64 hash = mix(words[0], words[1]);
	volatile __u64 *cached = &front_cache[hash & (FRONT_CACHE_ENTRIES - 1)];
	__u64 entry = *cached;
	struct flow_slot *slot;
	__u32 slot_number, *indexed;

	if ((entry ^ hash) >> 32 == 0) {
		slot_number = entry;
		slot = bpf_map_lookup_elem(&slots, &slot_number);
		if (slot && slot->identity.state == SLOT_IPV4 && same_key4(&slot->identity.key4, &key->v4))
			return slot;
	}
	indexed = bpf_map_lookup_elem(&index4, &key->v4);
	slot_number = indexed ? *indexed : start_flow(key, 4, direction);
	slot = bpf_map_lookup_elem(&slots, &slot_number);
	if (slot)
		*cached = (hash & 0xffffffff00000000ULL) | slot_number;
	return slot;
}

static __always_inline struct flow_slot *find_slot6(const union flow_key *key, enum flow_direction direction)
{
	const __u64 *words = (const __u64 *)key;
	__u64 hash = mix(mix(words[0], words[1]) ^ words[4], mix(words[2], words[3]));
	volatile __u64 *cached = &front_cache[hash & (FRONT_CACHE_ENTRIES - 1)];
	__u64 entry = *cached;
	struct flow_slot *slot;
	__u32 slot_number, *indexed;

	if ((entry ^ hash) >> 32 == 0) {
		slot_number = entry;
		slot = bpf_map_lookup_elem(&slots, &slot_number);
		if (slot && slot->identity.state == SLOT_IPV6 && same_key6(&slot->identity.key6, &key->v6))
			return slot;
	}
	indexed = bpf_map_lookup_elem(&index6, &key->v6);
	slot_number = indexed ? *indexed : start_flow(key, 6, direction);
	slot = bpf_map_lookup_elem(&slots, &slot_number);
	if (slot)
		*cached = (hash & 0xffffffff00000000ULL) | slot_number;
	return slot;
}

static __always_inline void remember_sequence(struct flow_slot *slot, enum flow_direction direction, __u32 sequence)
{
	slot->tcp.initial_sequence[direction] = sequence;
	slot->tcp.initial_sequence_known[direction] = 1;
}

/* A SYN that isn't a retransmission begins another connection on the tuple. Handshakes are in sequence, a round trip
 * between the steps, so plain writes do; the count of earlier ones moves here alone, never on the racy last step. */
static __always_inline void note_syn(struct flow_slot *slot, enum flow_direction direction, const struct packet *packet)
{
	struct flow_identity *identity = &slot->identity;

	if (slot->tcp.initial_sequence_known[direction] && slot->tcp.initial_sequence[direction] == packet->sequence)
		return;
	remember_sequence(slot, direction, packet->sequence);
	slot->tcp.initial_sequence_known[!direction] = 0;
	identity->opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
	if (identity->handshake == HANDSHAKE_DONE)
		identity->earlier_opened++;
	identity->handshake = HANDSHAKE_SYN;
}

static __always_inline void note_syn_ack(struct flow_slot *slot, enum flow_direction direction,
					 const struct packet *packet)
{
	struct flow_identity *identity = &slot->identity;

	remember_sequence(slot, direction, packet->sequence);
	if (identity->opener == OPENER_UNKNOWN)
		identity->opener = direction == FROM_POD ? OPENER_REMOTE : OPENER_LOCAL;
	if (identity->handshake < HANDSHAKE_SYN_ACK)
		identity->handshake = HANDSHAKE_SYN_ACK;
}

static __always_inline void note_handshake(struct flow_slot *slot, enum flow_direction direction,
					   const struct packet *packet)
{
	struct flow_identity *identity = &slot->identity;
	__u8 opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;

	if (packet->tcp_flags & TCP_SYN) {
		if (packet->tcp_flags & TCP_ACK)
			note_syn_ack(slot, direction, packet);
		else
			note_syn(slot, direction, packet);
		return;
	}
	if (identity->handshake == HANDSHAKE_SYN_ACK && identity->opener == opener &&
	    (packet->tcp_flags & (TCP_ACK | TCP_RST)) == TCP_ACK)
		identity->handshake = HANDSHAKE_DONE;
}

static __always_inline void count_flow(struct flow_slot *slot, enum flow_direction direction,
				       const struct packet *packet)
{
	struct flow_counters *counters = &slot->counters[direction];

	__sync_fetch_and_add(&counters->packets, packet->packets);
	__sync_fetch_and_add(&counters->bytes, packet->bytes);
	if (packet->protocol == IPPROTO_TCP && !(packet->flags & FLOW_FRAGMENT))
		note_handshake(slot, direction, packet);
	else if (packet->echo_request && slot->identity.opener == OPENER_UNKNOWN)
		slot->identity.opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
}

#endif
