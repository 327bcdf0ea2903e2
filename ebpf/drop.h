/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Bytes that the program of drops.bpf.c shares with user space (addon/drops.cc). */
#ifndef PODWEIR_DROP_H
#define PODWEIR_DROP_H

#include <linux/types.h>

/* Names what has its drops counted together: an interface by a number that user space gives once, or one of these. */
enum drop_watch {
	DROP_WATCH_NODE = 0,    /* at no interface that is watched, in no pod's stack */
	DROP_WATCH_UNKNOWN = 1, /* nothing at the packet tells where */
	DROP_WATCHES = 2,
};

#define DROP_PLACES 4096   /* INTERFACE_SLOTS times both ends and the namespace */
#define DROP_COUNTERS 8192 /* interfaces times reasons that they met */

/* Where a packet can be dropped. */
struct drop_place {
	__u32 namespace_inode;
	__u32 interface_index; /* 0: anywhere in the namespace */
};

struct drop_key {
	__u32 watch;
	__u32 reason; /* enum skb_drop_reason of the running kernel */
};

#endif
