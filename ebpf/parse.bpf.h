/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The packets that nearly all are: TCP and UDP in plain IPv4 or IPv6, headers in the linear part. Whatever else there
 * is, malformed or not, is parse_rest's; this one only ever says "not mine". */
#ifndef PODWEIR_PARSE_BPF_H
#define PODWEIR_PARSE_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "packet.bpf.h"

#define IPV4_WITHOUT_OPTIONS 0x45

/* `ip_bytes`: header and payload, as the IP header says it. Returns 0 for what is not plain. */
static __always_inline int parse_plain_transport(struct __sk_buff *skb, struct packet *packet, const void *transport,
						 __u32 offset, __u32 ip_bytes)
{
	const void *data_end = (const void *)(long)skb->data_end;
	__u32 ip_header_bytes = offset - sizeof(struct ethernet_header);
	__u32 frame_bytes = skb->len - sizeof(struct ethernet_header);
	__u32 gso_size = skb->gso_size, header_bytes;

	if (gso_size)
		ip_bytes = frame_bytes; /* BIG TCP has no room for it in the header */
	if (ip_bytes > frame_bytes)
		return 0;
	if (packet->protocol == IPPROTO_TCP) {
		const struct tcp_header *tcp = transport;

		if (transport + sizeof(*tcp) > data_end)
			return 0;
		header_bytes = (tcp->offset >> 4) * 4;
		if (header_bytes < sizeof(*tcp) || ip_bytes < ip_header_bytes + header_bytes)
			return 0;
		packet->source_port = tcp->source;
		packet->destination_port = tcp->destination;
		packet->tcp_flags = tcp->flags;
		packet->sequence = bpf_ntohl(tcp->sequence);
		packet->acknowledgment = bpf_ntohl(tcp->acknowledgment);
		packet->window = bpf_ntohs(tcp->window);
		packet->payload_bytes = ip_bytes - ip_header_bytes - header_bytes;
		packet->transport_offset = offset;
		packet->follow_tcp = 1;
		header_bytes += offset;
		if (gso_size && skb->len > header_bytes)
			expand(packet, (skb->len - header_bytes + gso_size - 1) / gso_size, header_bytes,
			       metadata_tag_bytes(skb));
		return 1;
	}
	if (packet->protocol == IPPROTO_UDP) {
		const struct udp_header *udp = transport;

		/* GSO over UDP may be a tunnel's */
		if (gso_size || transport + sizeof(*udp) > data_end || ip_bytes < ip_header_bytes + sizeof(*udp))
			return 0;
		packet->source_port = udp->source;
		packet->destination_port = udp->destination;
		return 1;
	}
	return 0;
}

/* Of a frame whose EtherType is IPv4: fills `packet` and `key`'s addresses and returns 1, or returns 0: then neither is
 * to be used. */
static __always_inline int parse_plain4(struct __sk_buff *skb, __u32 direction, struct packet *packet,
					union flow_key *key)
{
	const void *data = (const void *)(long)skb->data, *data_end = (const void *)(long)skb->data_end;
	const struct iphdr *ip = data + sizeof(struct ethernet_header);

	begin_packet(skb, packet);
	if ((const void *)(ip + 1) > data_end || *(const __u8 *)ip != IPV4_WITHOUT_OPTIONS ||
	    ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET))
		return 0;
	packet->family = 4;
	packet->protocol = ip->protocol;
	set_key4(key, direction, ip->saddr, ip->daddr);
	return parse_plain_transport(skb, packet, ip + 1, sizeof(struct ethernet_header) + sizeof(*ip),
				     bpf_ntohs(ip->tot_len));
}

/* The same for IPv6. */
static __always_inline int parse_plain6(struct __sk_buff *skb, __u32 direction, struct packet *packet,
					union flow_key *key)
{
	const void *data = (const void *)(long)skb->data, *data_end = (const void *)(long)skb->data_end;
	const struct ipv6hdr *ip = data + sizeof(struct ethernet_header);

	begin_packet(skb, packet);
	if ((const void *)(ip + 1) > data_end || ip->version != 6)
		return 0;
	packet->family = 6;
	packet->protocol = ip->nexthdr;
	set_key6(key, direction, ip->saddr.s6_addr32, ip->daddr.s6_addr32);
	return parse_plain_transport(skb, packet, ip + 1, sizeof(struct ethernet_header) + sizeof(*ip),
				     bpf_ntohs(ip->payload_len) + sizeof(*ip));
}

#endif
