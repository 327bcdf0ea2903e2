/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Flow key to slot: the front cache, the index, and who gets a slot. What finds none is collapsed, and what finds no
 * place there is the caller's to count as overflow, like what is out of scope. */
#ifndef PODWEIR_TABLE_BPF_H
#define PODWEIR_TABLE_BPF_H

#include "front_cache.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "scope.bpf.h"

#define NO_SLOT 0xffffffff
#define barrier_compiler() asm volatile("" ::: "memory")

/* What a slot is first recognised by: all of an IPv4 key, or a hash of an IPv6 key's addresses and the rest of it. */
struct flow_name {
	__u64 words[2];
};

static __always_inline struct flow_name name_of(const union flow_key *key)
{
	const __u64 *words = key->words;

	return (struct flow_name){{words[3] ^ mix(mix(words[0], words[1]), words[2]), words[LAST_WORD]}};
}

/* The hash of an IPv6 name nearly proves it, and "nearly" is not enough. */
static __always_inline int same_flow(const struct flow_half *half, const struct flow_name *name,
				     const union flow_key *key, __u32 family, __u32 slot_number)
{
	const struct flow_details *details;
	const __u64 *words;

	if (half->state != family || (half->name[0] ^ name->words[0]) | (half->name[1] ^ name->words[1]))
		return 0;
	if (family == SLOT_IPV4)
		return 1;
	details = bpf_map_lookup_elem(&slot_details, &slot_number);
	if (!details)
		return 0; /* can't be */
	words = (const __u64 *)&details->key6;
	return !((words[0] ^ key->words[0]) | (words[1] ^ key->words[1]) | (words[2] ^ key->words[2]) |
		 (words[3] ^ key->words[3]));
}

static __always_inline void set_state(struct flow_slot *slot, __u8 state)
{
	barrier_compiler();
	slot->half[TO_POD].state = state;
	barrier_compiler();
	slot->half[FROM_POD].state = state;
}

static __always_inline __u32 *indexed_slot(const union flow_key *key, __u32 family)
{
	return family == SLOT_IPV4 ? bpf_map_lookup_elem(&index4, &key->v4) : bpf_map_lookup_elem(&index6, &key->v6);
}

/* The dynamic threshold: who has much must leave what is free to others. */
static __always_inline int may_take(__u32 in_use, __u32 all_in_use, __u32 limit)
{
	return all_in_use < limit && in_use < (limit - all_in_use) * FAIR_SHARE_FACTOR;
}

/* Takes a slot for one of an interface's flows and accounts for it, or returns NO_SLOT. */
__noinline __u32 take_slot(__u32 interface_slot)
{
	struct slot_use *own = bpf_map_lookup_elem(&slot_use, &interface_slot);
	struct slot_use *all = bpf_map_lookup_elem(&slot_use, &zero);
	__u32 slot_number;

	if (!own || !all || !may_take(own->started - own->retired, all->started - all->retired, slot_limit) ||
	    bpf_map_pop_elem(&free_slots, &slot_number))
		return NO_SLOT;
	__sync_fetch_and_add(&own->started, 1);
	__sync_fetch_and_add(&all->started, 1);
	return slot_number;
}

/* The same for a collapsed flow. */
__noinline __u32 take_collapsed(__u32 interface_slot)
{
	struct slot_use *own = bpf_map_lookup_elem(&slot_use, &interface_slot);
	struct slot_use *all = bpf_map_lookup_elem(&slot_use, &zero);
	__u32 slot_number;

	if (!own || !all ||
	    !may_take(own->collapsed_started - own->collapsed_retired, all->collapsed_started - all->collapsed_retired,
		      collapsed_limit) ||
	    bpf_map_pop_elem(&free_collapsed, &slot_number))
		return NO_SLOT;
	__sync_fetch_and_add(&own->collapsed_started, 1);
	__sync_fetch_and_add(&all->collapsed_started, 1);
	return slot_number;
}

/* Gives back a slot that no index names. Full can't be: there are as many places as slots. */
__noinline int give_back(__u32 slot_number, __u32 interface_slot)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct slot_use *own = bpf_map_lookup_elem(&slot_use, &interface_slot);
	struct slot_use *all = bpf_map_lookup_elem(&slot_use, &zero);
	long failed;

	if (!scratch_cpu || !own || !all)
		return 0; /* can't be */
	if (slot_number >= slot_limit) {
		__sync_fetch_and_add(&own->collapsed_started, -1);
		__sync_fetch_and_add(&all->collapsed_started, -1);
		failed = bpf_map_push_elem(&free_collapsed, &slot_number, BPF_ANY);
	} else {
		__sync_fetch_and_add(&own->started, -1);
		__sync_fetch_and_add(&all->started, -1);
		failed = bpf_map_push_elem(&free_slots, &slot_number, BPF_ANY);
	}
	if (failed)
		scratch_cpu->slot_push_failed++;
	return 0;
}

/* The flow's key into a slot that nobody else knows yet. */
static __always_inline int name_slot(__u32 slot_number, const union flow_key *key, __u32 family, __u32 direction)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *slot = bpf_map_lookup_elem(&slots, &slot_number);
	struct flow_name name = name_of(key);

	if (!slot || !details)
		return 0; /* can't be: the stacks hold numbers of slots */
	details->identity.started_ns = bpf_ktime_get_ns();
	details->identity.first_direction = direction;
	if (family == SLOT_IPV6)
		details->key6 = key->v6;
	slot->half[FROM_POD].name[0] = slot->half[TO_POD].name[0] = name.words[0];
	slot->half[FROM_POD].name[1] = slot->half[TO_POD].name[1] = name.words[1];
	return 1;
}

/* Names and publishes a taken slot. Two CPUs may meet here with the same flow: the index takes one. */
static __always_inline __u32 insert_flow(__u32 slot_number, const union flow_key *key, __u32 family, __u32 direction,
					 __u32 interface_slot)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);
	struct flow_slot *slot;
	__u32 *winner;
	long failed;

	if (!name_slot(slot_number, key, family, direction))
		return NO_SLOT;
	slot = bpf_map_lookup_elem(&slots, &slot_number);
	if (!slot || !scratch_cpu)
		return NO_SLOT; /* can't be */
	failed = family == SLOT_IPV4 ? bpf_map_update_elem(&index4, &key->v4, &slot_number, BPF_NOEXIST)
				     : bpf_map_update_elem(&index6, &key->v6, &slot_number, BPF_NOEXIST);
	if (!failed) {
		set_state(slot, family);
		return slot_number;
	}
	__builtin_memset(slot, 0, sizeof(*slot));
	give_back(slot_number, interface_slot);
	/* -EEXIST: another CPU added it first, the look-up finds theirs. */
	winner = indexed_slot(key, family);
	if (winner)
		return *winner;
	scratch_cpu->index_insert_failed++;
	return NO_SLOT;
}

/* Leaves out the higher port: it is nearly always the ephemeral one, and both directions agree on it. */
static __always_inline void collapse_key(union flow_key *key)
{
	__u64 last = key->words[LAST_WORD];
	__u16 local_port = bpf_ntohs((__u16)last), remote_port = bpf_ntohs((__u16)(last >> 16));

	last &= local_port > remote_port ? ~0xffffULL : ~0xffff0000ULL;
	key->words[LAST_WORD] = last | (__u64)FLOW_COLLAPSED << 56;
}

/* A slot for the flow in the workspace, which no index names; NO_SLOT when there is none or it gets none. Keeps the
 * key there as it is, unless the flow was collapsed. */
static __always_inline __u32 start_flow(struct workspace *work, __u32 family, __u32 direction, __u32 interface_slot)
{
	__u32 slot_number, *collapsed;

	work->is_left_out = scope_rules && !is_in_scope(family, interface_slot);
	if (work->is_left_out)
		return NO_SLOT;
	slot_number = take_slot(interface_slot);
	if (slot_number == NO_SLOT) {
		collapse_key(&work->key);
		collapsed = indexed_slot(&work->key, family);
		if (collapsed)
			return *collapsed;
		slot_number = take_collapsed(interface_slot);
		if (slot_number == NO_SLOT)
			return NO_SLOT;
	}
	return insert_flow(slot_number, &work->key, family, direction, interface_slot);
}

/* The slot of the flow in the workspace, which the front cache doesn't know. */
__noinline __u32 find_indexed(__u32 family, __u32 direction, __u32 interface_slot)
{
	struct workspace *work = own_workspace();
	__u32 *indexed, neighbour;
	struct flow_name name;
	struct flow_slot *slot;
	__u64 hash;

	if (!work)
		return NO_SLOT; /* can't be */
	name = name_of(&work->key);
	hash = mix(name.words[0], name.words[1]);
	neighbour = cached_slot(neighbour_of(hash), tag_of(hash));
	slot = bpf_map_lookup_elem(&slots, &neighbour);
	if (slot && same_flow(&slot->half[direction & 1], &name, &work->key, family, neighbour))
		return neighbour;
	indexed = indexed_slot(&work->key, family);
	return indexed ? *indexed : start_flow(work, family, direction, interface_slot);
}

/* A retired or replaced slot fails the comparison of the state, a re-used one that of the key: then the index decides,
 * and the key is in the workspace. */
static __always_inline struct flow_slot *find_slot(struct workspace *work, const union flow_key *key, __u32 family,
						   __u32 direction, __u32 interface_slot, __u32 *slot_number)
{
	struct flow_name name = name_of(key);
	__u64 hash = mix(name.words[0], name.words[1]);
	struct flow_slot *slot;

	*slot_number = cached_slot(set_of(hash), tag_of(hash));
	slot = bpf_map_lookup_elem(&slots, slot_number);
	if (slot && same_flow(&slot->half[direction & 1], &name, key, family, *slot_number))
		return slot;
	work->key = *key;
	*slot_number = find_indexed(family, direction, interface_slot);
	slot = bpf_map_lookup_elem(&slots, slot_number);
	if (slot && *slot_number < slot_limit)
		remember_slot(hash, *slot_number);
	return slot;
}

/* Takes the addresses and ports of a slot's flow away from it and gives them to a slot of their own: returns that one's
 * number, or the old one's when none is to be had. User space finds the old one by its state. The key goes by way of
 * the workspace, where it is the packet's own: old kernels have 512 bytes of stack for all of a chain of calls. */
__noinline __u32 replace_flow(__u32 slot_number, __u32 direction)
{
	struct flow_details *details = bpf_map_lookup_elem(&slot_details, &slot_number);
	struct flow_slot *old = bpf_map_lookup_elem(&slots, &slot_number);
	__u32 family, fresh_number;
	struct flow_slot *fresh;
	struct workspace *work = own_workspace();
	union flow_key *key;
	long failed;

	if (!old || !details || !work)
		return slot_number; /* can't be */
	key = &work->key;
	__builtin_memset(key, 0, sizeof(*key));
	family = old->half[FROM_POD].state;
	if (family == SLOT_IPV4)
		key->v4 = old->half[FROM_POD].key4;
	else if (family == SLOT_IPV6)
		key->v6 = details->key6;
	else
		return slot_number; /* user space is about to retire it */
	fresh_number = take_slot(key->words[LAST_WORD] >> 32 & 0xffff);
	if (fresh_number == NO_SLOT)
		return slot_number;
	fresh = bpf_map_lookup_elem(&slots, &fresh_number);
	if (!fresh || !name_slot(fresh_number, key, family, direction))
		return slot_number; /* can't be */
	failed = family == SLOT_IPV4 ? bpf_map_update_elem(&index4, &key->v4, &fresh_number, BPF_ANY)
				     : bpf_map_update_elem(&index6, &key->v6, &fresh_number, BPF_ANY);
	if (failed) {
		__builtin_memset(fresh, 0, sizeof(*fresh));
		give_back(fresh_number, key->words[LAST_WORD] >> 32 & 0xffff);
		return slot_number;
	}
	set_state(fresh, family);
	set_state(old, family | SLOT_REPLACED);
	return fresh_number;
}

#endif
