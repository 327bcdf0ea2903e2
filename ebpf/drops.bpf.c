// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Packets that the kernel threw away, by interface and by the kernel's reason. An optional object: it runs when
 * something is dropped and never otherwise. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "drop.h"
#include "kernel.bpf.h"

#define AF_INET 2 /* include/linux/socket.h */
#define AF_INET6 10
#define AF_PACKET 17
#define DATAREF_USERS 0xffff /* include/linux/skbuff.h: SKB_DATAREF_MASK */

/* What this kernel's tracepoint says, set at load. */
const volatile __u8 has_receiver = 0;             /* 6.11: the socket that was to receive it */
const volatile __u32 consumed_reason = (__u32)-1; /* the kernel's word for "not dropped" */

/* Drops that found no room among the counters. */
__u64 uncounted = 0;

/* Filled by user space as interfaces are attached. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DROP_PLACES);
	__type(key, struct drop_place);
	__type(value, __u32);
} places SEC(".maps");

/* Added to by the kernel, deleted by user space when the interface is gone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DROP_COUNTERS);
	__type(key, struct drop_key);
	__type(value, __u64);
} drops SEC(".maps");

/* The next skb of the list that hangs on the one that this CPU dropped last. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} next_part SEC(".maps");

static const __u32 zero = 0;

static __always_inline struct skb_shared_info *shared_info(struct sk_buff *skb)
{
	return (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
}

/* An skb's list of further skbs is released with it, and each of them passes the tracepoint too: they were counted with
 * the first. Released means that no clone holds the data; else they will not come now. */
static __always_inline bool is_part(struct sk_buff *skb, struct skb_shared_info *info)
{
	__u64 *next = bpf_map_lookup_elem(&next_part, &zero);
	__u64 list = (__u64)BPF_CORE_READ(info, frag_list);

	if (!next)
		return false; /* can't be: the map has its one entry from the start */
	if (*next == (__u64)skb) {
		*next = (__u64)BPF_CORE_READ(skb, next);
		return true;
	}
	*next = list && (BPF_CORE_READ(info, dataref.counter) & DATAREF_USERS) == 1 ? list : 0;
	return false;
}

/* gso_segs is 0 where the segments came from a guest or a raw socket and nobody has looked at them yet. */
static __always_inline __u64 packets_of(struct sk_buff *skb, struct skb_shared_info *info)
{
	__u32 gso_size = BPF_CORE_READ(info, gso_size);
	__u32 gso_segs;

	if (!gso_size)
		return 1;
	gso_segs = BPF_CORE_READ(info, gso_segs);
	return gso_segs ?: (BPF_CORE_READ(skb, len) + gso_size - 1) / gso_size;
}

static __always_inline bool watch_at(__u32 namespace_inode, __u32 interface_index, __u32 *watch)
{
	struct drop_place place = {namespace_inode, interface_index};
	__u32 *found = bpf_map_lookup_elem(&places, &place);

	if (found)
		*watch = *found;
	return found;
}

/* Where the skb is tells whose it is. Its device shares memory with other things (rbnode, dev_scratch, ll_node of
 * struct sk_buff): it is one if its namespace's loopback device is of that namespace, which no other memory looks like.
 */
static __always_inline bool watch_of_device(struct net_device *device, __u32 *watch)
{
	struct net *net = BPF_CORE_READ(device, nd_net.net);
	__u32 inode = BPF_CORE_READ(net, ns.inum);

	if (!inode)
		return false;
	if (watch_at(inode, BPF_CORE_READ(device, ifindex), watch) || watch_at(inode, 0, watch))
		return true;
	*watch = DROP_WATCH_NODE;
	return BPF_CORE_READ(net, loopback_dev, nd_net.net) == net;
}

/* A socket's stack drops what has no device yet, or no longer. */
static __always_inline bool watch_of_socket(struct sock *socket, __u32 *watch)
{
	unsigned short family = BPF_CORE_READ(socket, __sk_common.skc_family);

	/* Those of other families pass messages, not packets: AF_UNIX and AF_NETLINK free skbs too. */
	if (family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		return false;
	*watch = DROP_WATCH_NODE;
	watch_at(BPF_CORE_READ(socket, __sk_common.skc_net.net, ns.inum), 0, watch);
	return true;
}

/* false: no packet of a network device. */
static __always_inline bool find_watch(struct sk_buff *skb, struct sock *receiver, __u32 *watch)
{
	struct dst_entry *route;
	struct sock *socket;

	if (watch_of_device(BPF_CORE_READ(skb, dev), watch))
		return true;
	socket = receiver ?: BPF_CORE_READ(skb, sk);
	if (socket)
		return watch_of_socket(socket, watch);
	/* TCP takes the device off what it receives, and before 6.11 names no receiver: the route is what is left. */
	route = (void *)(BPF_CORE_READ(skb, _skb_refdst) & ~SKB_DST_NOREF);
	if (watch_of_device(BPF_CORE_READ(route, dev), watch))
		return true;
	*watch = DROP_WATCH_UNKNOWN;
	return BPF_CORE_READ(skb, protocol);
}

static __always_inline void count(__u32 watch, __u32 reason, __u64 packets)
{
	struct drop_key key = {watch, reason};
	__u64 *counter = bpf_map_lookup_elem(&drops, &key);
	__u64 none = 0;

	if (!counter) {
		/* -EEXIST is fine: another CPU added it first. Of any other failure the second look-up tells. */
		bpf_map_update_elem(&drops, &key, &none, BPF_NOEXIST);
		counter = bpf_map_lookup_elem(&drops, &key);
	}
	__sync_fetch_and_add(counter ?: &uncounted, packets);
}

SEC("raw_tp/kfree_skb")
int drops_kfree_skb(struct bpf_raw_tracepoint_args *context)
{
	struct sk_buff *skb = (void *)context->args[0];
	struct sock *receiver = has_receiver ? (void *)context->args[3] : 0;
	__u32 reason = context->args[2];
	struct skb_shared_info *info = shared_info(skb);
	__u32 watch;

	if (is_part(skb, info) || reason == consumed_reason || !find_watch(skb, receiver, &watch))
		return 0;
	count(watch, reason, packets_of(skb, info));
	return 0;
}

/* The kernel knows no word for "GPL-2.0-only OR Apache-2.0"; its helpers ask for the first. */
char LICENSE[] SEC("license") = "GPL";
