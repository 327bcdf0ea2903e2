// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* What pods ask their DNS servers and what these answer, copied into a ring. An optional object: an interface's
 * dispatcher tail-calls it for packets whose remote port is 53 and for no other, and it goes on to the program that
 * counts them. When its agent is gone, so is what dispatchers find it by, and they go there themselves. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "dns.h"
#include "flow.h"
#include "headers.bpf.h"

/* These two are flow.bpf.c's. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SHARED_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_scratch);
} scratch SEC(".maps");

/* Where dispatchers find the programs of this file: in the places of `programs`. Never pinned: the kernel empties it
 * with its last descriptor, whoever still runs through it. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SHARED_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} dns_programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, DNS_RING_BYTES);
} dns_messages SEC(".maps");

struct dns_record {
	struct dns_message message;
	__u8 payload[DNS_PAYLOAD_BYTES];
};

/* Where a message is put together. TC runs with bottom halves disabled: nothing interrupts that. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dns_record);
} dns_records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, struct dns_share);
} dns_shares SEC(".maps");

/* Messages that found no place in the ring. */
__u64 dns_lost = 0;
/* Number of the newest reading; written by user space. */
volatile __u32 dns_reading = 0;

static const __u32 zero = 0;

/* Where a message is in the frame. */
struct extent {
	__u32 offset;
	__u32 end;
};

static __always_inline int read_ip4(struct __sk_buff *skb, struct dns_message *message, struct extent *extent)
{
	__u32 swap = message->direction;
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, extent->offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5 ||
	    ip.frag_off & bpf_htons(IP_FRAGMENT_OFFSET))
		return 0;
	message->cut = !!(ip.frag_off & bpf_htons(IP_MORE_FRAGMENTS));
	message->protocol = ip.protocol;
	message->local[0] = swap ? ip.daddr : ip.saddr;
	message->remote[0] = swap ? ip.saddr : ip.daddr;
	/* BIG TCP has no room for it in the header */
	extent->end = skb->gso_size ? skb->len : extent->offset + bpf_ntohs(ip.tot_len);
	extent->offset += ip.ihl * 4;
	return 1;
}

/* Without extension headers: nobody sends DNS with them. */
static __always_inline int read_ip6(struct __sk_buff *skb, struct dns_message *message, struct extent *extent)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, extent->offset, &ip, sizeof(ip)) || ip.version != 6)
		return 0;
	message->protocol = ip.nexthdr;
	if (message->direction == FROM_POD) {
		__builtin_memcpy(message->local, &ip.saddr, sizeof(message->local));
		__builtin_memcpy(message->remote, &ip.daddr, sizeof(message->remote));
	} else {
		__builtin_memcpy(message->local, &ip.daddr, sizeof(message->local));
		__builtin_memcpy(message->remote, &ip.saddr, sizeof(message->remote));
	}
	extent->offset += sizeof(ip);
	extent->end = skb->gso_size ? skb->len : extent->offset + bpf_ntohs(ip.payload_len);
	return 1;
}

/* To the payload. The dispatcher looked for the port where most packets have it: here it is looked at again. */
static __always_inline int read_transport(struct __sk_buff *skb, struct dns_message *message, struct extent *extent)
{
	struct ports_header ports;
	__be16 remote_port;

	if (bpf_skb_load_bytes(skb, extent->offset, &ports, sizeof(ports)))
		return 0;
	remote_port = message->direction == FROM_POD ? ports.destination : ports.source;
	message->local_port = message->direction == FROM_POD ? ports.source : ports.destination;
	if (remote_port != bpf_htons(DNS_PORT))
		return 0;
	if (message->protocol == IPPROTO_UDP) {
		extent->offset += sizeof(struct udp_header);
		/* Datagrams in a row, of which the first is told. */
		if (skb->gso_size) {
			extent->end = extent->offset + skb->gso_size;
			message->cut = 1;
		}
		return 1;
	}
	if (message->protocol == IPPROTO_TCP) {
		struct tcp_header tcp;

		if (bpf_skb_load_bytes(skb, extent->offset, &tcp, sizeof(tcp)))
			return 0;
		extent->offset += (tcp.offset >> 4) * 4;
		return 1;
	}
	return 0;
}

/* Returns 0 when the interface has had its share of the ring. Two CPUs may both find room for the last one. */
static __always_inline int take_share(__u32 interface_slot, __u32 bytes)
{
	struct dns_share *share = bpf_map_lookup_elem(&dns_shares, &interface_slot);
	__u32 reading = dns_reading;

	if (!share)
		return 0; /* can't be */
	if (share->reading != reading) {
		share->reading = reading;
		share->bytes = 0;
	}
	if (share->bytes + bytes > DNS_SHARE_BYTES)
		return 0;
	share->bytes += bytes;
	return 1;
}

static __always_inline void put_into_ring(struct dns_record *record, __u64 bytes)
{
	__u64 waiting = bpf_ringbuf_query(&dns_messages, BPF_RB_AVAIL_DATA);
	__u64 flags = waiting >= DNS_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;

	if (!take_share(record->message.interface_slot, bytes) ||
	    bpf_ringbuf_output(&dns_messages, record, bytes, flags))
		__sync_fetch_and_add(&dns_lost, 1);
}

static __always_inline void tell(struct __sk_buff *skb, __u32 interface_slot, enum flow_direction direction,
				 __u8 family)
{
	struct dns_record *record = bpf_map_lookup_elem(&dns_records, &zero);
	struct extent extent = {.offset = sizeof(struct ethernet_header)};
	struct dns_message *message;
	__u64 bytes;

	if (!record)
		return; /* can't be */
	message = &record->message;
	__builtin_memset(message, 0, sizeof(*message));
	message->interface_slot = interface_slot;
	message->direction = direction;
	message->family = family;
	if (!(family == SLOT_IPV4 ? read_ip4(skb, message, &extent) : read_ip6(skb, message, &extent)) ||
	    !read_transport(skb, message, &extent))
		return;
	if (extent.end > skb->len) {
		extent.end = skb->len;
		message->cut = 1;
	}
	if (extent.offset >= extent.end)
		return; /* TCP's own: SYN, FIN, acknowledgments */
	bytes = extent.end - extent.offset;
	if (bytes > DNS_PAYLOAD_BYTES) {
		bytes = DNS_PAYLOAD_BYTES;
		message->cut = 1;
	}
	message->at_ns = bpf_ktime_get_ns();
	message->payload_bytes = bytes;
	/* No verifier before 6.8 learns from a comparison with 0 that it is at least 1. */
	barrier_var(bytes);
	bytes = ((bytes - 1) & (DNS_PAYLOAD_BYTES - 1)) + 1;
	if (bpf_skb_load_bytes(skb, extent.offset, record->payload, bytes))
		return;
	put_into_ring(record, sizeof(*message) + bytes);
}

static __always_inline int tap(struct __sk_buff *skb, enum flow_direction direction, __u8 family)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);

	if (!scratch_cpu)
		return TC_ACT_UNSPEC; /* can't be */
	tell(skb, scratch_cpu->interface_slot, direction, family);
	bpf_tail_call(skb, &programs, (family == SLOT_IPV4 ? PROGRAM_IPV4 : PROGRAM_IPV6) + direction);
	scratch_cpu->tail_call_failed++;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int dns4_from_pod(struct __sk_buff *skb)
{
	return tap(skb, FROM_POD, SLOT_IPV4);
}

SEC("tc")
int dns4_to_pod(struct __sk_buff *skb)
{
	return tap(skb, TO_POD, SLOT_IPV4);
}

SEC("tc")
int dns6_from_pod(struct __sk_buff *skb)
{
	return tap(skb, FROM_POD, SLOT_IPV6);
}

SEC("tc")
int dns6_to_pod(struct __sk_buff *skb)
{
	return tap(skb, TO_POD, SLOT_IPV6);
}

/* The kernel knows no word for "GPL-2.0-only OR Apache-2.0"; its helpers ask for the first. */
char LICENSE[] SEC("license") = "GPL";
