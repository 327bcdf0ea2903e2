// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A test run repeats one packet. This makes it another one each time, in both directions by turns, and hands it to
 * the program under test: the same work before each of the compared programs, and before the empty one. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define LCG_FACTOR 6364136223846793005ULL /* Knuth, MMIX */
#define LCG_STEP 1442695040888963407ULL
#define NOT_REACHED 77

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* Written by one run at a time. The number of flows is a power of two. */
struct course {
	__u64 random;
	__u32 flow_mask, to_pod;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct course);
} course SEC(".maps");

struct addressed {
	struct ethhdr ethernet;
	struct iphdr ip;
	__be16 source_port, destination_port;
} __attribute__((packed));

SEC("tc")
int vary(struct __sk_buff *skb)
{
	struct addressed *packet = (void *)(long)skb->data;
	__u32 key = 0, flow, pod, peer;
	struct course *now = bpf_map_lookup_elem(&course, &key);

	if (!now || (void *)(packet + 1) > (void *)(long)skb->data_end)
		return NOT_REACHED;
	now->random = now->random * LCG_FACTOR + LCG_STEP;
	flow = now->random >> 33 & now->flow_mask;
	pod = 0x0a000002;
	peer = 0x0b000000 | flow;
	now->to_pod ^= 1;
	if (now->to_pod) {
		packet->ip.saddr = peer;
		packet->ip.daddr = pod;
		packet->source_port = 80;
		packet->destination_port = flow;
		bpf_tail_call_static(skb, &under_test, 1);
		return NOT_REACHED;
	}
	packet->ip.saddr = pod;
	packet->ip.daddr = peer;
	packet->source_port = flow;
	packet->destination_port = 80;
	bpf_tail_call_static(skb, &under_test, 0);
	return NOT_REACHED;
}

SEC("tc")
int empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
