/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What ICMP says of flows: who asks for an echo, and a "destination unreachable", which belongs to the flow whose
 * packet it quotes (RFC 792; RFC 4443, section 3.1). */
#ifndef PODWEIR_ICMP_BPF_H
#define PODWEIR_ICMP_BPF_H

#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "table.bpf.h"

/* The quoted packet went the other way. Its ports are in the first 8 bytes, which every error has. */
static __always_inline int quoted_key(struct __sk_buff *skb, union flow_key *key, __u32 family, __u32 offset,
				      __u32 interface_slot, __u32 direction)
{
	struct packet quoted = {};
	struct ports_header ports;

	if (family == SLOT_IPV4) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 4 || ip.ihl < 5)
			return 0;
		quoted.protocol = ip.protocol;
		set_key4(key, direction, ip.saddr, ip.daddr);
		offset += ip.ihl * 4;
	} else {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, offset, &ip, sizeof(ip)) || ip.version != 6)
			return 0;
		quoted.protocol = ip.nexthdr;
		set_key6(key, direction, ip.saddr.s6_addr32, ip.daddr.s6_addr32);
		offset += sizeof(ip);
	}
	if ((quoted.protocol != IPPROTO_TCP && quoted.protocol != IPPROTO_UDP) ||
	    bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)))
		return 0;
	quoted.source_port = ports.source;
	quoted.destination_port = ports.destination;
	quoted.family = family;
	set_last_word(key, &quoted, interface_slot, direction);
	return 1;
}

static __always_inline void note_unreachable(struct __sk_buff *skb, const struct packet *packet, __u32 interface_slot,
					     __u32 direction)
{
	struct flow_identity *identity;
	struct flow_details *details;
	struct flow_slot *slot;
	union flow_key key = {};
	__u32 *slot_number;

	if (!quoted_key(skb, &key, packet->family, packet->quoted_offset, interface_slot,
			direction == FROM_POD ? TO_POD : FROM_POD))
		return;
	slot_number = indexed_slot(&key, packet->family);
	if (!slot_number)
		return;
	details = bpf_map_lookup_elem(&slot_details, slot_number);
	slot = bpf_map_lookup_elem(&slots, slot_number);
	if (!details || !slot)
		return; /* can't be */
	identity = &details->identity;
	if (!identity->unreachable) {
		identity->unreachable_ns = bpf_ktime_get_ns();
		barrier_compiler();
		identity->unreachable = packet->quoted_code + 1;
		__sync_fetch_and_add(&slot->half[FROM_POD].events, 1);
	}
}

/* Of the packet in the workspace, an ICMP of the flow in this slot. `direction`: its own. */
__noinline int note_icmp(struct __sk_buff *skb, __u32 slot_number, __u32 interface_slot, __u32 direction)
{
	struct workspace *work = own_workspace();
	struct flow_details *details;

	if (!work)
		return 0; /* can't be */
	if (work->packet.quoted_offset)
		note_unreachable(skb, &work->packet, interface_slot, direction);
	if (!work->packet.echo_request)
		return 0;
	details = bpf_map_lookup_elem(&slot_details, &slot_number);
	if (details && details->identity.opener == OPENER_UNKNOWN)
		details->identity.opener = direction == FROM_POD ? OPENER_LOCAL : OPENER_REMOTE;
	return 0;
}

#endif
