// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A test run repeats one packet. This makes it another one each time, in both directions by turns, and hands it to
 * the program under test: the same work before each of the compared programs, and before the empty one. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LCG_FACTOR 6364136223846793005ULL /* Knuth, MMIX */
#define LCG_STEP 1442695040888963407ULL
#define NOT_REACHED 77
#define MOST_FLOWS 65536
#define MOST_HEADER_BYTES 128
#define TRANSPORT_BYTES 12 /* ports, sequence and acknowledgment number */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* Where the frame has what varies, and how it does. Written by one run at a time. Index 0 is the packet from the pod,
 * 1 the one to it. */
struct course {
	__u64 random;
	__u32 number; /* of the next flow, where each packet is another one's */
	__u32 to_pod;
	__u32 flow_mask; /* flows less 1, a power of two less 1; 0xffffff: each packet is another flow's */
	__u32 peer_port;
	__u32 source_at, destination_at; /* the last four bytes of either address */
	__u32 length_at;                 /* of the IP packet, as its header has it */
	__u32 transport_at;
	__u32 length[2];
	__u32 payload[2];         /* bytes of TCP, both 0: sequence numbers stay */
	__u32 acknowledged_later; /* so many bytes are on the way */
	__u32 reserved;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct course);
} course SEC(".maps");

struct stream {
	__u32 sent[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MOST_FLOWS);
	__type(key, __u32);
	__type(value, struct stream);
} streams SEC(".maps");

/* NULL when the frame ends before. */
static __always_inline void *place(struct __sk_buff *skb, __u32 offset, __u32 bytes)
{
	void *at = (void *)(long)skb->data + (offset & (MOST_HEADER_BYTES - 1));

	return at + bytes > (void *)(long)skb->data_end ? NULL : at;
}

/* In order, without a gap, and each side acknowledges what it got. */
static __always_inline void number_segment(const struct course *now, __be32 *sequence, __u32 flow, __u32 to_pod)
{
	struct stream *stream = bpf_map_lookup_elem(&streams, &flow);

	if (!stream)
		return;
	sequence[0] = bpf_htonl(stream->sent[to_pod]);
	sequence[1] = bpf_htonl(stream->sent[!to_pod] - now->acknowledged_later);
	stream->sent[to_pod] += now->payload[to_pod];
}

static __always_inline __u32 next_flow(struct course *now)
{
	if (now->flow_mask >= MOST_FLOWS)
		return now->number++ & now->flow_mask;
	now->random = now->random * LCG_FACTOR + LCG_STEP;
	return now->random >> 33 & now->flow_mask;
}

SEC("tc")
int vary(struct __sk_buff *skb)
{
	__u32 key = 0, flow, to_pod, *source, *destination;
	struct course *now = bpf_map_lookup_elem(&course, &key);
	__be16 *length, *ports;

	if (!now)
		return NOT_REACHED;
	source = place(skb, now->source_at, sizeof(*source));
	destination = place(skb, now->destination_at, sizeof(*destination));
	length = place(skb, now->length_at, sizeof(*length));
	ports = place(skb, now->transport_at, TRANSPORT_BYTES);
	if (!source || !destination || !length || !ports)
		return NOT_REACHED;
	flow = next_flow(now);
	to_pod = now->to_pod ^= 1;
	*length = now->length[to_pod & 1];
	if (now->payload[0] | now->payload[1])
		number_segment(now, (__be32 *)(ports + 2), flow, to_pod & 1);
	if (to_pod) {
		*source = 0x0b000000 | flow;
		*destination = 0x0a000002;
		ports[0] = now->peer_port;
		ports[1] = flow;
		bpf_tail_call_static(skb, &under_test, 1);
		return NOT_REACHED;
	}
	*source = 0x0a000002;
	*destination = 0x0b000000 | flow;
	ports[0] = flow;
	ports[1] = now->peer_port;
	bpf_tail_call_static(skb, &under_test, 0);
	return NOT_REACHED;
}

SEC("tc")
int empty(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
