/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which flows belong into the table. Asked for a packet that has no flow, where one would start: packets of flows that
 * are in the table pay nothing, and what is out of scope is asked for again with each packet. So an answer depends on
 * nothing but the key, in which both directions and all packets of a conversation agree. */
#ifndef PODWEIR_SCOPE_BPF_H
#define PODWEIR_SCOPE_BPF_H

#include <linux/in.h>

#include "maps.bpf.h"
#include "scope.h"

/* enum scope_rules. Set before load: without rules the verifier removes what asks for them. */
const volatile __u32 scope_rules = 0;

/* A map is there if a rule needs it. 1: everything on the interface is out of scope. Written by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} scope_interfaces SEC(".maps");

/* Blocks of remote addresses to enum scope_block. Filled before the first interface is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SCOPE_BLOCKS_LIMIT);
	__type(key, struct scope_block4);
	__type(value, __u32);
} scope_blocks4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SCOPE_BLOCKS_LIMIT);
	__type(key, struct scope_block6);
	__type(value, __u32);
} scope_blocks6 SEC(".maps");

/* By PORTS_PER_WORD ports each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} scope_ports SEC(".maps");

static __always_inline int address_in_scope(const union flow_key *key, __u32 family)
{
	__u32 *block;

	if (family == SLOT_IPV4) {
		struct scope_block4 wanted = {.prefix_length = 32, .address = key->v4.remote};

		block = bpf_map_lookup_elem(&scope_blocks4, &wanted);
	} else {
		struct scope_block6 wanted = {.prefix_length = 128};

		__builtin_memcpy(wanted.address, key->v6.remote, sizeof(wanted.address));
		block = bpf_map_lookup_elem(&scope_blocks6, &wanted);
	}
	return block ? *block == BLOCK_INCLUDED : !(scope_rules & SCOPE_BLOCKS_INCLUDED);
}

static __always_inline __u64 *word_of_port(__u32 port)
{
	__u32 word = port / PORTS_PER_WORD;

	return bpf_map_lookup_elem(&scope_ports, &word);
}

static __always_inline __u32 rules_of_port(const __u64 *word, __u32 port)
{
	return *word >> port % PORTS_PER_WORD * 8 & 0xff;
}

/* Where a transport's bits are in a port's byte; beyond it for one without ports. */
static __always_inline __u32 place_of_transport(__u8 protocol, __u8 flags)
{
	if (flags & FLOW_FRAGMENT)
		return SCOPE_NO_PORTS;
	switch (protocol) {
	case IPPROTO_TCP:
		return SCOPE_TCP;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return SCOPE_UDP;
	case IPPROTO_SCTP:
		return SCOPE_SCTP;
	case IPPROTO_DCCP:
		return SCOPE_DCCP;
	default:
		return SCOPE_NO_PORTS;
	}
}

/* Which of the two ports is the server's can't be known from any packet alone: each of them may be. */
__noinline int ports_in_scope(__u64 last_word)
{
	__u32 local = bpf_ntohs((__u16)last_word), remote = bpf_ntohs((__u16)(last_word >> 16));
	const __u64 *of_local, *of_remote;
	__u32 rules;

	/* Older verifiers walk it without a caller, too. */
	if (!(scope_rules & SCOPE_PORTS))
		return 1;
	of_local = word_of_port(local);
	of_remote = word_of_port(remote);
	if (!of_local || !of_remote)
		return 1; /* can't be */
	rules = rules_of_port(of_local, local) | rules_of_port(of_remote, remote);
	rules >>= place_of_transport(last_word >> 48, last_word >> 56);
	if (scope_rules & SCOPE_PORTS_INCLUDED)
		return (rules & (PORT_INCLUDED | PORT_EXCLUDED)) == PORT_INCLUDED;
	return !(rules & PORT_EXCLUDED);
}

/* Of the flow whose key is in the workspace. */
__noinline int is_in_scope(__u32 family, __u32 interface_slot)
{
	struct workspace *work = own_workspace();
	__u32 *interface_is_out;

	if (!work)
		return 1; /* can't be */
	if (scope_rules & SCOPE_INTERFACES) {
		interface_is_out = bpf_map_lookup_elem(&scope_interfaces, &interface_slot);
		if (interface_is_out && *interface_is_out)
			return 0;
	}
	if (scope_rules & SCOPE_BLOCKS && !address_in_scope(&work->key, family))
		return 0;
	return ports_in_scope(work->key.words[LAST_WORD]);
}

#endif
