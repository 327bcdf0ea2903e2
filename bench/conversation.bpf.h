/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The key of the compared programs: the same 16 bytes as ours, by a parser that does no more than they need. */
#ifndef PODWEIR_BENCH_CONVERSATION_H
#define PODWEIR_BENCH_CONVERSATION_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"

#define FLOWS 65536

/* Returns 0 for anything but TCP and UDP over IPv4. */
static __always_inline int read_key(struct __sk_buff *skb, enum flow_direction direction, struct flow_key4 *key)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	__be16 *ports;

	if ((void *)(ip + 1) > data_end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return 0;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP)
		return 0;
	ports = (void *)ip + ip->ihl * 4;
	if ((void *)(ports + 2) > data_end)
		return 0;
	key->local = direction == FROM_POD ? ip->saddr : ip->daddr;
	key->remote = direction == FROM_POD ? ip->daddr : ip->saddr;
	key->local_port = ports[direction == FROM_POD ? 0 : 1];
	key->remote_port = ports[direction == FROM_POD ? 1 : 0];
	key->interface_slot = skb->ifindex;
	key->protocol = ip->protocol;
	key->flags = 0;
	return 1;
}

#define OBSERVE_BOTH_DIRECTIONS                                                                                        \
	SEC("tc")                                                                                                      \
	int from_pod(struct __sk_buff *skb)                                                                            \
	{                                                                                                              \
		return observe(skb, FROM_POD);                                                                         \
	}                                                                                                              \
	SEC("tc")                                                                                                      \
	int to_pod(struct __sk_buff *skb)                                                                              \
	{                                                                                                              \
		return observe(skb, TO_POD);                                                                           \
	}                                                                                                              \
	char LICENSE[] SEC("license") = "GPL"

#endif
