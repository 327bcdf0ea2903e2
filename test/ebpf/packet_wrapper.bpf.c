// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What a test run can't set of an skb, set by a program in front of the one under test. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN_ID 7
#define NOT_REACHED 77

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} length SEC(".maps");

static __always_inline int cut(struct __sk_buff *skb)
{
	__u32 key = 0, *bytes = bpf_map_lookup_elem(&length, &key);

	return !bytes || bpf_skb_change_tail(skb, *bytes, 0);
}

/* A test run takes no packet that is shorter than the headers it announces; an skb may be. */
SEC("tc")
int cut_to_length(struct __sk_buff *skb)
{
	if (cut(skb))
		return NOT_REACHED;
	bpf_tail_call(skb, &under_test, 0);
	return NOT_REACHED;
}

/* The tag goes into the skb's metadata, as a device that takes tags off leaves it. */
SEC("tc")
int with_tag_in_metadata(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), VLAN_ID))
		return NOT_REACHED;
	bpf_tail_call(skb, &under_test, 0);
	return NOT_REACHED;
}

SEC("tc")
int cut_and_tag(struct __sk_buff *skb)
{
	if (cut(skb) || bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), VLAN_ID))
		return NOT_REACHED;
	bpf_tail_call(skb, &under_test, 0);
	return NOT_REACHED;
}

char LICENSE[] SEC("license") = "GPL";
