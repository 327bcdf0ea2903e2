/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Every packet that is not plain: options, extension headers, fragments, tags, other protocols, tunnels' GSO, and what
 * is not IP or malformed. Headers are copied, wherever they are. Each step is a function that the verifier checks by
 * itself, so that their paths add up instead of multiplying; what they share is in the workspace. */
#ifndef PODWEIR_PARSE_REST_BPF_H
#define PODWEIR_PARSE_REST_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "maps.bpf.h"
#include "packet.bpf.h"
#include "tunnel.bpf.h"

#define VLAN_TAGS 2
#define IPV6_EXTENSIONS                                                                                                \
	8 /* headers that are looked behind; a longer chain is a flow of the ninth's protocol number                   \
	   */
#define SCTP_HEADER_BYTES 12
#define DCCP_HEADER_BYTES 12

static __always_inline int is_extension(__u8 protocol)
{
	/* One bit each, so that the verifier has one way to go and not five. */
	const __u64 up_to_63 = 1ULL << IPPROTO_HOPOPTS | 1ULL << IPPROTO_ROUTING | 1ULL << IPPROTO_DSTOPTS |
			       1ULL << IPPROTO_FRAGMENT | 1ULL << IPPROTO_AH;

	return protocol < 64 && up_to_63 >> protocol & 1;
}

/* RFC 8200, section 4; AH: RFC 4302. */
static __always_inline __u32 extension_bytes(__u8 protocol, const struct ipv6_extension *extension)
{
	if (protocol == IPPROTO_FRAGMENT)
		return sizeof(*extension);
	if (protocol == IPPROTO_AH)
		return (extension->length + 2) * 4;
	return (extension->length + 1) * 8;
}

__noinline int parse_ipv4(struct __sk_buff *skb, __u32 direction)
{
	struct workspace *work = bpf_map_lookup_elem(&workspace, &zero);
	__u32 header_bytes, ip_bytes, frame_bytes;
	struct packet *packet = &work->packet;
	struct cursor *cursor = &work->cursor;
	struct iphdr ip;

	if (!work)
		return CLASS_MALFORMED_SHORT; /* can't be */
	frame_bytes = skb->len - cursor->offset;
	if (bpf_skb_load_bytes(skb, cursor->offset, &ip, sizeof(ip)))
		return CLASS_MALFORMED_SHORT;
	header_bytes = ip.ihl * 4;
	/* BIG TCP has no room for it in the header */
	ip_bytes = skb->gso_size ? frame_bytes : bpf_ntohs(ip.tot_len);
	if (ip.version != 4 || header_bytes < sizeof(ip) || ip_bytes < header_bytes)
		return CLASS_MALFORMED_HEADER;
	if (ip_bytes > frame_bytes)
		return CLASS_MALFORMED_SHORT;
	packet->family = 4;
	packet->protocol = ip.protocol;
	packet->follow_tcp = 1;
	if (ip.frag_off & bpf_htons(IP_FRAGMENT_OFFSET))
		packet->flags = FLOW_FRAGMENT;
	if (ip.frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET))
		packet->follow_tcp = 0;
	set_key4(&work->key, direction, ip.saddr, ip.daddr);
	cursor->end = cursor->offset + ip_bytes;
	cursor->offset += header_bytes;
	return CLASS_FLOW;
}

/* Behind the extension header at the cursor. */
__noinline int skip_extension(struct __sk_buff *skb)
{
	struct workspace *work = bpf_map_lookup_elem(&workspace, &zero);
	struct ipv6_extension extension;
	struct packet *packet;

	if (!work || bpf_skb_load_bytes(skb, work->cursor.offset, &extension, sizeof(extension)))
		return CLASS_MALFORMED_SHORT;
	packet = &work->packet;
	if (packet->protocol == IPPROTO_FRAGMENT) {
		if (extension.fragment_offset & bpf_htons(IPV6_FRAGMENT_OFFSET))
			packet->flags = FLOW_FRAGMENT;
		if (extension.fragment_offset & bpf_htons(IPV6_FRAGMENT_OFFSET | IPV6_MORE_FRAGMENTS))
			packet->follow_tcp = 0;
	}
	work->cursor.offset += extension_bytes(packet->protocol, &extension);
	packet->protocol = extension.next;
	return work->cursor.offset > work->cursor.end ? CLASS_MALFORMED_SHORT : CLASS_FLOW;
}

/* To the header behind the last extension header, or to where a later fragment's payload begins. */
static __always_inline enum packet_class skip_extensions(struct __sk_buff *skb, const struct packet *packet)
{
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		int packet_class;

		if (!is_extension(packet->protocol) || packet->flags & FLOW_FRAGMENT)
			break;
		packet_class = skip_extension(skb);
		if (packet_class != CLASS_FLOW)
			return packet_class;
	}
	return CLASS_FLOW;
}

__noinline int parse_ipv6(struct __sk_buff *skb, __u32 direction)
{
	struct workspace *work = bpf_map_lookup_elem(&workspace, &zero);
	struct packet *packet = &work->packet;
	struct cursor *cursor = &work->cursor;
	__u32 ip_bytes, frame_bytes;
	struct ipv6hdr ip;

	if (!work)
		return CLASS_MALFORMED_SHORT; /* can't be */
	frame_bytes = skb->len - cursor->offset;
	if (bpf_skb_load_bytes(skb, cursor->offset, &ip, sizeof(ip)))
		return CLASS_MALFORMED_SHORT;
	if (ip.version != 6)
		return CLASS_MALFORMED_HEADER;
	ip_bytes = bpf_ntohs(ip.payload_len) + sizeof(ip);
	/* a jumbogram (RFC 2675) and BIG TCP have no room for it in the header */
	if (skb->gso_size || (!ip.payload_len && ip.nexthdr == IPPROTO_HOPOPTS))
		ip_bytes = frame_bytes;
	if (ip_bytes > frame_bytes)
		return CLASS_MALFORMED_SHORT;
	packet->family = 6;
	packet->protocol = ip.nexthdr;
	packet->follow_tcp = 1;
	set_key6(&work->key, direction, ip.saddr.s6_addr32, ip.daddr.s6_addr32);
	cursor->end = cursor->offset + ip_bytes;
	cursor->offset += sizeof(ip);
	return skip_extensions(skb, packet);
}

/* Returns the header's length, 0 when it is cut. */
static __always_inline __u32 parse_tcp(struct __sk_buff *skb, struct packet *packet, const struct cursor *cursor)
{
	__u32 bytes = cursor->end - cursor->offset, header_bytes;
	struct tcp_header tcp;

	if (bytes < sizeof(tcp) || bpf_skb_load_bytes(skb, cursor->offset, &tcp, sizeof(tcp)))
		return 0;
	header_bytes = (tcp.offset >> 4) * 4;
	if (header_bytes < sizeof(tcp) || header_bytes > bytes)
		return 0;
	packet->source_port = tcp.source;
	packet->destination_port = tcp.destination;
	packet->tcp_flags = tcp.flags;
	packet->sequence = bpf_ntohl(tcp.sequence);
	packet->acknowledgment = bpf_ntohl(tcp.acknowledgment);
	packet->window = bpf_ntohs(tcp.window);
	packet->payload_bytes = bytes - header_bytes;
	packet->transport_offset = cursor->offset;
	return header_bytes;
}

static __always_inline __u32 parse_icmp(struct __sk_buff *skb, struct packet *packet, const struct cursor *cursor)
{
	__u32 bytes = cursor->end - cursor->offset;
	struct icmp_echo echo = {};
	int v4 = packet->family == 4;
	__u8 type;

	if (bytes < sizeof(echo.header) || bpf_skb_load_bytes(skb, cursor->offset, &echo.header, sizeof(echo.header)))
		return 0;
	type = echo.header.type;
	packet->icmp = 1;
	packet->echo_request = type == (v4 ? ICMP_ECHO_REQUEST : ICMP6_ECHO_REQUEST);
	if (packet->echo_request || type == (v4 ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY)) {
		if (bytes < sizeof(echo) || bpf_skb_load_bytes(skb, cursor->offset, &echo, sizeof(echo)))
			return 0;
		packet->source_port = packet->destination_port = echo.identifier;
		return sizeof(echo);
	}
	packet->flags |= FLOW_ICMP_TYPE;
	packet->source_port = packet->destination_port = bpf_htons(type << 8 | echo.header.code);
	if (type == (v4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE) &&
	    !(v4 && echo.header.code == ICMP_FRAGMENTATION_NEEDED)) {
		packet->quoted_offset = cursor->offset + ICMP_QUOTE_OFFSET;
		packet->quoted_code = echo.header.code;
	}
	return sizeof(echo.header);
}

/* Returns the header's length, 0 when it is cut or the protocol has none that we read. */
static __always_inline __u32 parse_ports(struct __sk_buff *skb, struct packet *packet, const struct cursor *cursor,
					 __u32 header_bytes)
{
	struct ports_header ports;

	if (cursor->end - cursor->offset < header_bytes ||
	    bpf_skb_load_bytes(skb, cursor->offset, &ports, sizeof(ports)))
		return 0;
	packet->source_port = ports.source;
	packet->destination_port = ports.destination;
	return header_bytes;
}

/* Leaves the cursor behind the transport header. */
__noinline int parse_transport(struct __sk_buff *skb)
{
	struct workspace *work = bpf_map_lookup_elem(&workspace, &zero);
	struct packet *packet = &work->packet;
	struct cursor *cursor = &work->cursor;
	__u32 header_bytes;
	__u8 protocol;

	if (!work)
		return CLASS_MALFORMED_TRANSPORT; /* can't be */
	protocol = packet->protocol;
	if (packet->flags & FLOW_FRAGMENT)
		return CLASS_FRAGMENT;
	if (protocol == IPPROTO_TCP)
		header_bytes = parse_tcp(skb, packet, cursor);
	else if (protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		header_bytes = parse_icmp(skb, packet, cursor);
	else if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
		header_bytes = parse_ports(skb, packet, cursor, sizeof(struct udp_header));
	else if (protocol == IPPROTO_SCTP)
		header_bytes = parse_ports(skb, packet, cursor, SCTP_HEADER_BYTES);
	else if (protocol == IPPROTO_DCCP)
		header_bytes = parse_ports(skb, packet, cursor, DCCP_HEADER_BYTES);
	else
		return CLASS_FLOW;
	cursor->offset += header_bytes;
	return header_bytes ? CLASS_FLOW : CLASS_MALFORMED_TRANSPORT;
}

/* How many packets a GSO skb stands for; CLASS_GSO_GUESS where that can't be computed. */
__noinline int count_segments(struct __sk_buff *skb)
{
	struct workspace *work = bpf_map_lookup_elem(&workspace, &zero);
	__u32 gso_size = skb->gso_size, tag_bytes = metadata_tag_bytes(skb), header_bytes;
	struct packet *packet = &work->packet;
	struct cursor *cursor = &work->cursor;
	__u8 protocol;

	if (!work)
		return CLASS_GSO_GUESS; /* can't be */
	protocol = packet->protocol;
	header_bytes = cursor->offset;
	if (gso_size == GSO_BY_FRAGS) {
		expand(packet, skb->gso_segs, header_bytes, tag_bytes);
		return CLASS_FLOW;
	}
	if (protocol != IPPROTO_TCP && is_tunnel(protocol, packet->destination_port)) {
		header_bytes = inner_header_end(skb, cursor->offset, protocol, packet->destination_port);
	} else if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP) {
		header_bytes = 0;
	} else if (protocol == IPPROTO_UDP && skb->len > header_bytes) {
		/* Datagrams, unless it is a tunnel on a port that we don't know: then the sizes don't fit. */
		__u32 segments = (skb->len - header_bytes + gso_size - 1) / gso_size;

		if (skb->gso_segs && segments != skb->gso_segs)
			header_bytes = 0;
	}
	if (!header_bytes) {
		expand(packet, skb->gso_segs, cursor->offset, tag_bytes);
		return CLASS_GSO_GUESS;
	}
	if (skb->len > header_bytes)
		expand(packet, (skb->len - header_bytes + gso_size - 1) / gso_size, header_bytes, tag_bytes);
	return CLASS_FLOW;
}

static __always_inline enum packet_class parse_frame(struct __sk_buff *skb, __u32 direction, struct workspace *work)
{
	enum packet_class packet_class;
	struct ethernet_header ethernet;
	__be16 type;

	if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)))
		return CLASS_MALFORMED_SHORT;
	type = ethernet.type;
	work->cursor.offset = sizeof(ethernet);
	for (int i = 0; i < VLAN_TAGS; i++) {
		struct vlan_header vlan;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if (bpf_skb_load_bytes(skb, work->cursor.offset, &vlan, sizeof(vlan)))
			return CLASS_MALFORMED_SHORT;
		type = vlan.type;
		work->cursor.offset += sizeof(vlan);
	}
	if (type == bpf_htons(ETH_P_ARP))
		return CLASS_ARP;
	if (type == bpf_htons(ETH_P_IP))
		packet_class = parse_ipv4(skb, direction);
	else if (type == bpf_htons(ETH_P_IPV6))
		packet_class = parse_ipv6(skb, direction);
	else
		return CLASS_NOT_IP;
	if (packet_class == CLASS_FLOW)
		packet_class = parse_transport(skb);
	return packet_class == CLASS_FLOW && skb->gso_size ? count_segments(skb) : packet_class;
}

/* Leaves packet and key in the workspace. Returns 0, always. */
__noinline int parse_rest(struct __sk_buff *skb, __u32 direction)
{
	struct workspace *work = bpf_map_lookup_elem(&workspace, &zero);

	if (!work)
		return 0; /* can't be: the map has its one entry from the start */
	__builtin_memset(&work->packet, 0, sizeof(work->packet));
	work->packet.packets = 1;
	work->packet.bytes = skb->len + metadata_tag_bytes(skb);
	work->packet.packet_class = parse_frame(skb, direction, work);
	return 0;
}

#endif
