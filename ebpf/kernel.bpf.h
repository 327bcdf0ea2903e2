/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The fields of kernel structures that optional modules read. libbpf moves each access to where the running kernel has
 * the field (CO-RE), so order, gaps and sizes of the structures mean nothing here. */
#ifndef PODWEIR_KERNEL_BPF_H
#define PODWEIR_KERNEL_BPF_H

#include <linux/types.h>

#define SKB_DST_NOREF 1UL /* include/linux/skbuff.h: a bit of _skb_refdst that is no part of the pointer */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net;

typedef struct {
	struct net *net;
} possible_net_t;

struct ns_common {
	unsigned int inum;
};

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct net {
	struct ns_common ns;
	struct net_device *loopback_dev;
};

struct sock_common {
	unsigned short skc_family;
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
};

struct dst_entry {
	struct net_device *dev;
};

typedef struct {
	int counter;
} atomic_t;

struct skb_shared_info {
	unsigned short gso_size;
	unsigned short gso_segs;
	struct sk_buff *frag_list;
	atomic_t dataref;
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	__be16 protocol;
	unsigned int end; /* of 64-bit kernels: an offset from head */
	unsigned char *head;
};

#pragma clang attribute pop

#endif
