/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Packet bytes to flow key and wire size. Touches no map and no clock, changes nothing in the packet. */
#ifndef PODWEIR_PARSE_BPF_H
#define PODWEIR_PARSE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "headers.bpf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys are built as little-endian words");

#define IPV6_EXTENSIONS 4 /* headers that are looked behind */

struct packet {
	__u64 packets, bytes;                /* on the wire */
	__u32 tag_bytes;                     /* a VLAN tag in skb metadata, which skb->len leaves out */
	__u32 sequence;                      /* TCP, host order */
	__u16 source_port, destination_port; /* network order */
	__u8 family;                         /* 4, 6, or 0 for what is not IP or malformed */
	__u8 protocol;
	__u8 flags; /* enum flow_flags */
	__u8 tcp_flags;
	__u8 echo_request;
};

/* Built and compared as words: a word that is read right behind narrower writes waits until they are in the cache. */
union flow_key {
	struct flow_key4 v4;
	struct flow_key6 v6;
	__u64 words[5];
};

/* The bytes where they are if they are in the linear part, else a copy: never a pull, which would change the skb. */
static __always_inline const void *header(struct __sk_buff *skb, __u32 offset, void *copy, __u32 size)
{
	const void *data = (const void *)(long)skb->data;
	const void *data_end = (const void *)(long)skb->data_end;

	if (data + offset + size <= data_end)
		return data + offset;
	return bpf_skb_load_bytes(skb, offset, copy, size) ? NULL : copy;
}

/* Two neighbours in memory as one word, on the little-endian machines that this is for. */
static __always_inline __u64 two_words(__u32 first, __u32 second)
{
	return (__u64)second << 32 | first;
}

/* A GSO or GRO skb stands for several packets, each with its own copy of the headers and of the tag in metadata. */
static __always_inline void expand_segments(struct __sk_buff *skb, struct packet *packet, __u32 header_bytes)
{
	__u32 payload_bytes = skb->len - header_bytes;
	__u32 gso_size = skb->gso_size;
	__u64 packets;

	if (!gso_size || skb->len <= header_bytes)
		return;
	packets = gso_size == GSO_BY_FRAGS ? skb->gso_segs : (payload_bytes + gso_size - 1) / gso_size;
	if (packets <= 1)
		return;
	packet->packets = packets;
	packet->bytes += (packets - 1) * (header_bytes + packet->tag_bytes);
}

/* Returns the transport header's length, 0 for a protocol without ports, -1 when it is cut short. */
static __always_inline int parse_transport(struct __sk_buff *skb, __u32 offset, struct packet *packet)
{
	union {
		struct tcp_header tcp;
		struct udp_header udp;
		struct icmp_header icmp;
	} copy;

	if (packet->flags & FLOW_FRAGMENT)
		return 0;
	if (packet->protocol == IPPROTO_TCP) {
		const struct tcp_header *tcp = header(skb, offset, &copy, sizeof(copy.tcp));

		if (!tcp || (tcp->offset >> 4) < 5)
			return -1;
		packet->source_port = tcp->source;
		packet->destination_port = tcp->destination;
		packet->tcp_flags = tcp->flags;
		packet->sequence = bpf_ntohl(tcp->sequence);
		return (tcp->offset >> 4) * 4;
	}
	if (packet->protocol == IPPROTO_UDP) {
		const struct udp_header *udp = header(skb, offset, &copy, sizeof(copy.udp));

		if (!udp)
			return -1;
		packet->source_port = udp->source;
		packet->destination_port = udp->destination;
		return sizeof(*udp);
	}
	if (packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6) {
		const struct icmp_header *icmp = header(skb, offset, &copy, sizeof(copy.icmp));
		__u8 request = packet->family == 4 ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST;
		__u8 reply = packet->family == 4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;

		/* MLD and some errors are shorter than an echo; they are complete all the same. */
		if (!icmp)
			return 0;
		if (icmp->type == request || icmp->type == reply)
			packet->source_port = packet->destination_port = icmp->identifier;
		packet->echo_request = icmp->type == request;
		return 0;
	}
	return 0;
}

static __always_inline void parse_ipv4(struct __sk_buff *skb, __u32 offset, enum flow_direction direction,
				       struct packet *packet, union flow_key *key)
{
	struct iphdr copy;
	const struct iphdr *ip = header(skb, offset, &copy, sizeof(copy));
	__u32 header_bytes;
	int transport_bytes;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return;
	header_bytes = ip->ihl * 4;
	packet->family = 4;
	packet->protocol = ip->protocol;
	if (ip->frag_off & bpf_htons(IP_FRAGMENT_OFFSET))
		packet->flags |= FLOW_FRAGMENT;
	key->words[0] = direction == FROM_POD ? two_words(ip->saddr, ip->daddr) : two_words(ip->daddr, ip->saddr);
	transport_bytes = parse_transport(skb, offset + header_bytes, packet);
	if (transport_bytes < 0) {
		packet->family = 0;
		return;
	}
	expand_segments(skb, packet, offset + header_bytes + transport_bytes);
}

/* The length of an extension header (RFC 8200, section 4; AH: RFC 4302), 0 when `protocol` is none. */
static __always_inline __u32 extension_bytes(__u8 protocol, const struct ipv6_extension *extension)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (extension->length + 1) * 8;
	case IPPROTO_FRAGMENT:
		return 8;
	case IPPROTO_AH:
		return (extension->length + 2) * 4;
	default:
		return 0;
	}
}

static __always_inline int is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

/* A function of its own: inlined, its extension headers take the registers that IPv4 works in. */
static __noinline void parse_ipv6(struct __sk_buff *skb, __u32 offset, enum flow_direction direction,
				  struct packet *packet, union flow_key *key)
{
	struct ipv6hdr copy;
	const struct ipv6hdr *ip = header(skb, offset, &copy, sizeof(copy));
	const struct in6_addr *local, *remote;
	int transport_bytes;

	if (!ip || ip->version != 6)
		return;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	local = direction == FROM_POD ? &ip->saddr : &ip->daddr;
	remote = direction == FROM_POD ? &ip->daddr : &ip->saddr;
	key->words[0] = two_words(local->s6_addr32[0], local->s6_addr32[1]);
	key->words[1] = two_words(local->s6_addr32[2], local->s6_addr32[3]);
	key->words[2] = two_words(remote->s6_addr32[0], remote->s6_addr32[1]);
	key->words[3] = two_words(remote->s6_addr32[2], remote->s6_addr32[3]);
	offset += sizeof(*ip);
#pragma unroll
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		struct ipv6_extension extension;

		if (!is_extension(packet->protocol) || packet->flags & FLOW_FRAGMENT)
			break;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension))) {
			packet->family = 0;
			return;
		}
		/* the upper 13 bits are the offset in 8 bytes */
		if (packet->protocol == IPPROTO_FRAGMENT && extension.fragment_offset & bpf_htons(0xfff8))
			packet->flags |= FLOW_FRAGMENT;
		offset += extension_bytes(packet->protocol, &extension);
		packet->protocol = extension.next;
	}
	transport_bytes = parse_transport(skb, offset, packet);
	if (transport_bytes < 0) {
		packet->family = 0;
		return;
	}
	expand_segments(skb, packet, offset + transport_bytes);
}

/* Fills `packet` for every skb, and `key`'s addresses, ports and protocol when packet->family is not 0. */
static __always_inline void parse(struct __sk_buff *skb, enum flow_direction direction, struct packet *packet,
				  union flow_key *key)
{
	union {
		struct ethernet_header ethernet;
		struct vlan_header vlan;
	} copy;
	const struct ethernet_header *ethernet = header(skb, 0, &copy, sizeof(copy.ethernet));
	__u32 offset = sizeof(*ethernet);
	__be16 type;

	packet->packets = 1;
	/* Volatile: the verifier takes a context access at a constant offset only, and clang would hoist the sum. */
	packet->tag_bytes = ((volatile struct __sk_buff *)skb)->vlan_present ? VLAN_TAG_BYTES : 0;
	packet->bytes = skb->len + packet->tag_bytes;
	if (!ethernet)
		return;
	type = ethernet->type;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		const struct vlan_header *vlan;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		vlan = header(skb, offset, &copy, sizeof(copy.vlan));
		if (!vlan)
			return;
		type = vlan->type;
		offset += sizeof(*vlan);
	}
	if (type == bpf_htons(ETH_P_IP))
		parse_ipv4(skb, offset, direction, packet, key);
	else if (type == bpf_htons(ETH_P_IPV6))
		parse_ipv6(skb, offset, direction, packet, key);
}

#endif
