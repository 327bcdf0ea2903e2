/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is behind the IP headers of a packet that is not plain: ports, TCP's numbers, ICMP's types, and how many packets
 * a GSO skb stands for. */
#ifndef PODWEIR_PARSE_TRANSPORT_BPF_H
#define PODWEIR_PARSE_TRANSPORT_BPF_H

#include <linux/in.h>

#include "maps.bpf.h"
#include "packet.bpf.h"
#include "tunnel.bpf.h"

#define SCTP_HEADER_BYTES 12
#define DCCP_HEADER_BYTES 12

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
	struct workspace *work = own_workspace();
	struct packet *packet = &work->packet;
	struct cursor *cursor = &work->cursor;
	__u32 header_bytes;
	__u8 protocol;

	if (!work)
		return CLASS_MALFORMED_TRANSPORT; /* can't be */
	protocol = packet->protocol;
	if (packet->flags & FLOW_FRAGMENT)
		return CLASS_FRAGMENT;
	if (protocol == IPPROTO_TCP) {
		header_bytes = parse_tcp(skb, packet, cursor);
	} else {
		packet->follow_tcp = 0;
		if (protocol == (packet->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			header_bytes = parse_icmp(skb, packet, cursor);
		else if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)
			header_bytes = parse_ports(skb, packet, cursor, sizeof(struct udp_header));
		else if (protocol == IPPROTO_SCTP)
			header_bytes = parse_ports(skb, packet, cursor, SCTP_HEADER_BYTES);
		else if (protocol == IPPROTO_DCCP)
			header_bytes = parse_ports(skb, packet, cursor, DCCP_HEADER_BYTES);
		else
			return CLASS_FLOW;
	}
	cursor->offset += header_bytes;
	return header_bytes ? CLASS_FLOW : CLASS_MALFORMED_TRANSPORT;
}

/* How many packets a GSO skb stands for; CLASS_GSO_GUESS where that can't be computed. */
__noinline int count_segments(struct __sk_buff *skb)
{
	struct workspace *work = own_workspace();
	__u32 gso_size = skb->gso_size, tag_bytes, header_bytes;
	struct packet *packet = &work->packet;
	struct cursor *cursor = &work->cursor;
	__u8 protocol;

	if (!work)
		return CLASS_GSO_GUESS; /* can't be */
	packet->bytes -= packet->unsent_bytes;
	tag_bytes = metadata_tag_bytes(skb) - packet->unsent_bytes; /* below 0 only beside header_bytes */
	protocol = packet->protocol;
	header_bytes = cursor->offset;
	if (protocol == IPPROTO_SCTP && gso_size == GSO_BY_FRAGS) {
		expand(packet, skb->gso_segs, header_bytes, tag_bytes);
		return CLASS_FLOW;
	}
	if (protocol == IPPROTO_TCP) {
		/* as it is */
	} else if (gso_size == GSO_BY_FRAGS) {
		header_bytes = 0; /* SCTP in a tunnel */
	} else if (is_tunnel(protocol, packet->destination_port)) {
		header_bytes = inner_header_end(skb, cursor->offset, protocol, packet->destination_port);
	} else if (protocol != IPPROTO_UDP) {
		header_bytes = 0;
	} else if (skb->len > header_bytes) {
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

#endif
