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
#include "parse_transport.bpf.h"

#define VLAN_TAGS 2
#define IPV6_EXTENSIONS                                                                                                \
	8 /* headers that are looked behind; a longer chain is a flow of the ninth's protocol number                   \
	   */

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
	struct workspace *work = own_workspace();
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
	struct workspace *work = own_workspace();
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
	struct workspace *work = own_workspace();
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
	/* Of BIG TCP the kernel itself makes a jumbogram, and segmenting takes the header off again
	 * (ipv6_hopopt_jumbo_remove, include/net/ipv6.h). */
	if (skb->gso_size && !ip.payload_len && ip.nexthdr == IPPROTO_HOPOPTS)
		packet->unsent_bytes = JUMBO_HEADER_BYTES;
	packet->family = 6;
	packet->protocol = ip.nexthdr;
	packet->follow_tcp = 1;
	set_key6(&work->key, direction, ip.saddr.s6_addr32, ip.daddr.s6_addr32);
	cursor->end = cursor->offset + ip_bytes;
	cursor->offset += sizeof(ip);
	return skip_extensions(skb, packet);
}

/* Of what is in an IP packet, after its headers were read as `packet_class`. */
static __always_inline int parse_payload(struct __sk_buff *skb, int packet_class)
{
	if (packet_class == CLASS_FLOW)
		packet_class = parse_transport(skb);
	return packet_class == CLASS_FLOW && skb->gso_size ? count_segments(skb) : packet_class;
}

static __always_inline int parse_tagged(struct __sk_buff *skb, __u32 direction, struct workspace *work)
{
	struct ethernet_header ethernet;
	__be16 type;

	if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)))
		return CLASS_MALFORMED_SHORT;
	type = ethernet.type;
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
		return parse_payload(skb, parse_ipv4(skb, direction));
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_payload(skb, parse_ipv6(skb, direction));
	return CLASS_NOT_IP;
}

static __always_inline void begin_frame(struct __sk_buff *skb, struct workspace *work)
{
	begin_packet(skb, &work->packet);
	work->cursor.offset = sizeof(struct ethernet_header);
}

/* Any frame. This and the next two leave packet and key in the workspace and return 0, always. */
__noinline int parse_frame(struct __sk_buff *skb, __u32 direction)
{
	struct workspace *work = own_workspace();

	if (!work)
		return 0; /* can't be: the map has its one entry from the start */
	begin_frame(skb, work);
	work->packet.packet_class = parse_tagged(skb, direction, work);
	return 0;
}

/* A frame whose EtherType is IPv4. */
__noinline int parse_frame4(struct __sk_buff *skb, __u32 direction)
{
	struct workspace *work = own_workspace();

	if (!work)
		return 0; /* can't be */
	begin_frame(skb, work);
	work->packet.packet_class = parse_payload(skb, parse_ipv4(skb, direction));
	return 0;
}

/* A frame whose EtherType is IPv6. */
__noinline int parse_frame6(struct __sk_buff *skb, __u32 direction)
{
	struct workspace *work = own_workspace();

	if (!work)
		return 0; /* can't be */
	begin_frame(skb, work);
	work->packet.packet_class = parse_payload(skb, parse_ipv6(skb, direction));
	return 0;
}

#endif
