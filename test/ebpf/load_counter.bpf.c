// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A foreign program beside ours: counts skbs and their bytes, and knows nothing of Podweir. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct load {
	__u64 skbs, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct load);
} load SEC(".maps");

static __always_inline void count(const struct __sk_buff *skb)
{
	__u32 key = 0;
	struct load *here = bpf_map_lookup_elem(&load, &key);

	if (!here)
		return;
	here->skbs++;
	here->bytes += skb->len;
}

/* Leaves the decision to who comes next. */
SEC("tc")
int foreign_next(struct __sk_buff *skb)
{
	count(skb);
	return TC_ACT_UNSPEC;
}

/* Lets the skb pass and ends the chain. */
SEC("tc")
int foreign_pass(struct __sk_buff *skb)
{
	count(skb);
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
