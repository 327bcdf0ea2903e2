// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* For comparison: one hash from key to counters, added to atomically. The baseline of the limits. */
#include "conversation.bpf.h"

struct counters {
	__u64 packets[DIRECTIONS], bytes[DIRECTIONS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOWS);
	__type(key, struct flow_key4);
	__type(value, struct counters);
} flows SEC(".maps");

static __always_inline int observe(struct __sk_buff *skb, enum flow_direction direction)
{
	struct counters first = {}, *counters;
	struct flow_key4 key;

	if (!read_key(skb, direction, &key))
		return TC_ACT_UNSPEC;
	counters = bpf_map_lookup_elem(&flows, &key);
	if (!counters) {
		bpf_map_update_elem(&flows, &key, &first, BPF_NOEXIST);
		counters = bpf_map_lookup_elem(&flows, &key);
		if (!counters)
			return TC_ACT_UNSPEC;
	}
	__sync_fetch_and_add(&counters->packets[direction], 1);
	__sync_fetch_and_add(&counters->bytes[direction], skb->len);
	return TC_ACT_UNSPEC;
}

OBSERVE_BOTH_DIRECTIONS;
