// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A foreign program that harms traffic: it drops or doubles what is longer than any packet without data. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define LONGEST_WITHOUT_DATA 100
#define DOUBLED 0x7077

/* Packets that were dropped or added. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} disturbed SEC(".maps");

static __always_inline void count(const struct __sk_buff *skb)
{
	__u32 key = 0;
	__u64 *packets = bpf_map_lookup_elem(&disturbed, &key);

	if (packets)
		__sync_fetch_and_add(packets, skb->gso_segs ?: 1);
}

SEC("tc")
int drop_data(struct __sk_buff *skb)
{
	if (skb->len <= LONGEST_WITHOUT_DATA)
		return TC_ACT_UNSPEC;
	count(skb);
	return TC_ACT_SHOT;
}

/* The second one comes by here too, and is known by its mark. */
SEC("tc")
int double_data(struct __sk_buff *skb)
{
	if (skb->len <= LONGEST_WITHOUT_DATA || skb->mark == DOUBLED)
		return TC_ACT_UNSPEC;
	skb->mark = DOUBLED;
	if (!bpf_clone_redirect(skb, skb->ifindex, 0))
		count(skb);
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
