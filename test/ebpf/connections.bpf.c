// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Makes a test run's packet, a TCP segment without options and data, the next one of a connection that is opened and
 * closed at once, and each six runs that of another connection: more of them in a second than sockets could make. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NOT_REACHED 77
#define STEPS 6
#define FIRST_PORT 1024
#define PORTS 32768
#define POD 0x0a050002
#define PEER 0x0a060000

enum { FIN = 1, SYN = 2, ACK = 16 };

/* From the pod, to it. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* Runs so far. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} runs SEC(".maps");

static const struct {
	__u8 flags, to_pod, sequence, acknowledgment;
} steps[STEPS] = {
	{SYN, 0, 0, 0},       {SYN | ACK, 1, 0, 1}, {ACK, 0, 1, 1},
	{FIN | ACK, 0, 1, 1}, {FIN | ACK, 1, 1, 2}, {ACK, 0, 2, 2},
};

struct segment {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

SEC("tc")
int connections(struct __sk_buff *skb)
{
	struct segment *segment = (void *)(long)skb->data;
	__u32 key = 0, *run = bpf_map_lookup_elem(&runs, &key), connection, step;
	__be32 pod = bpf_htonl(POD), peer;
	__be16 port, service = bpf_htons(443);

	if (!run || (void *)(segment + 1) > (void *)(long)skb->data_end)
		return NOT_REACHED;
	connection = *run / STEPS;
	step = *run % STEPS;
	*run += 1;
	asm volatile("" : "+r"(step));
	if (step >= STEPS) /* the verifier does not know what % does */
		return NOT_REACHED;
	peer = bpf_htonl(PEER + connection / PORTS);
	port = bpf_htons(FIRST_PORT + connection % PORTS);
	((__u8 *)&segment->tcp)[13] = steps[step].flags;
	segment->tcp.seq = bpf_htonl(steps[step].sequence);
	segment->tcp.ack_seq = bpf_htonl(steps[step].acknowledgment);
	if (steps[step].to_pod) {
		segment->ip.saddr = peer;
		segment->ip.daddr = pod;
		segment->tcp.source = service;
		segment->tcp.dest = port;
		bpf_tail_call_static(skb, &under_test, 1);
		return NOT_REACHED;
	}
	segment->ip.saddr = pod;
	segment->ip.daddr = peer;
	segment->tcp.source = port;
	segment->tcp.dest = service;
	bpf_tail_call_static(skb, &under_test, 0);
	return NOT_REACHED;
}

char LICENSE[] SEC("license") = "GPL";
