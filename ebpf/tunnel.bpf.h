/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* A tunnel's packets stay the outer flow. Only the arithmetic of GSO looks inside: each segment has all the headers. */
#ifndef PODWEIR_TUNNEL_BPF_H
#define PODWEIR_TUNNEL_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "packet.bpf.h"

static __always_inline int is_tunnel(__u8 protocol, __be16 destination_port)
{
	if (protocol == IPPROTO_UDP)
		return destination_port == bpf_htons(VXLAN_PORT) || destination_port == bpf_htons(VXLAN_PORT_LINUX) ||
		       destination_port == bpf_htons(GENEVE_PORT);
	return protocol == IPPROTO_IPV4_IN_IP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE;
}

/* Returns what follows a tunnel's own header, as an EtherType in host order, and moves behind that header; or 0. */
static __always_inline __u16 enter_tunnel(struct __sk_buff *skb, __u32 *offset, __u8 protocol, __be16 port)
{
	__be16 words[2];
	__u16 flags;

	if (protocol == IPPROTO_IPV4_IN_IP)
		return ETH_P_IP;
	if (protocol == IPPROTO_IPV6)
		return ETH_P_IPV6;
	if (protocol == IPPROTO_UDP && port != bpf_htons(GENEVE_PORT)) {
		*offset += VXLAN_HEADER_BYTES;
		return ETH_P_TRANSPARENT_BRIDGING;
	}
	if (bpf_skb_load_bytes(skb, *offset, words, sizeof(words)))
		return 0;
	if (protocol == IPPROTO_UDP) {
		*offset += GENEVE_HEADER_BYTES + (bpf_ntohs(words[0]) >> 8 & GENEVE_OPTION_WORDS) * 4;
		return bpf_ntohs(words[1]);
	}
	flags = bpf_ntohs(words[0]);
	if (flags & ~(GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE))
		return 0; /* RFC 1701's routing, or another version: a header of another length */
	*offset += GRE_HEADER_BYTES;
	*offset += flags & GRE_CHECKSUM ? GRE_FIELD_BYTES : 0;
	*offset += flags & GRE_KEY ? GRE_FIELD_BYTES : 0;
	*offset += flags & GRE_SEQUENCE ? GRE_FIELD_BYTES : 0;
	return bpf_ntohs(words[1]);
}

/* `offset` of what the tunnel carries. Returns where the headers of the innermost TCP or UDP end in the frame, 0 when
 * they can't be read. `offset`: behind the outer transport header. */
__noinline __u32 inner_header_end(struct __sk_buff *skb, __u32 offset, __u32 protocol, __u32 port)
{
	__u16 type = enter_tunnel(skb, &offset, protocol, port);
	struct tcp_header tcp;
	__u8 inner;

	if (type == ETH_P_TRANSPARENT_BRIDGING) {
		struct ethernet_header ethernet;

		if (bpf_skb_load_bytes(skb, offset, &ethernet, sizeof(ethernet)))
			return 0;
		type = bpf_ntohs(ethernet.type);
		offset += sizeof(ethernet);
	}
	if (type == ETH_P_IP) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
			return 0;
		inner = ip.protocol;
		offset += ip.ihl * 4;
	} else if (type == ETH_P_IPV6) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 6)
			return 0;
		inner = ip.nexthdr;
		offset += sizeof(ip);
	} else {
		return 0;
	}
	if (inner == IPPROTO_UDP)
		return offset + sizeof(struct udp_header);
	if (inner != IPPROTO_TCP || bpf_skb_load_bytes(skb, offset, &tcp, sizeof(tcp)) || tcp.offset >> 4 < 5)
		return 0;
	return offset + (tcp.offset >> 4) * 4;
}

#endif
