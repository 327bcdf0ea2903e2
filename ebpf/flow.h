/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Every byte that the kernel programs and the addon share, and the only description of it.
 * Fixed widths, no padding. Addresses and ports are in network order, all other numbers in host order. */
#ifndef PODWEIR_FLOW_H
#define PODWEIR_FLOW_H

#include <linux/types.h>

/* Raised whenever a struct or the meaning of a field changes. Maps, pins and addon compare it. */
#define FLOW_ABI 2

/* Interface slot 0 is never given out: a key of zero bytes matches no flow. */
#define INTERFACE_SLOTS 1024

/* The lossy cache in front of the hash index: 2^FRONT_CACHE_BITS sets of four entries, 512 KiB. An entry is a part of
 * the key's hash above the slot's number, and 0 at first. */
#define FRONT_CACHE_BITS 15
#define FRONT_CACHE_WAYS 4
#define FRONT_CACHE_TAG 0xfff00000u /* above the number of a slot: a flow limit is at most 2^20 */

#define RTT_BUCKETS 16

/* As the pod sees it. */
enum flow_direction {
	FROM_POD = 0,
	TO_POD = 1,
	DIRECTIONS = 2,
};

enum flow_flags {
	FLOW_FRAGMENT = 1,  /* a later fragment: it has no ports */
	FLOW_COLLAPSED = 2, /* the ephemeral port was left out */
};

/* A slot's state. RETIRING is or-ed to the family by user space before it waits for RCU. */
enum slot_state {
	SLOT_FREE = 0,
	SLOT_IPV4 = 4,
	SLOT_IPV6 = 6,
	SLOT_RETIRING = 0x80,
};

enum flow_opener {
	OPENER_UNKNOWN = 0,
	OPENER_LOCAL = 1,
	OPENER_REMOTE = 2,
};

/* How far a TCP handshake has come. */
enum tcp_handshake {
	HANDSHAKE_NONE = 0,
	HANDSHAKE_SYN = 1,
	HANDSHAKE_SYN_ACK = 2,
	HANDSHAKE_DONE = 3,
};

/* local is the pod's end. An ICMP echo has its identifier as both ports; a protocol without ports has 0. */
struct flow_key4 {
	__u32 local, remote;
	__u16 local_port, remote_port;
	__u16 interface_slot;
	__u8 protocol; /* IPPROTO_* */
	__u8 flags;    /* enum flow_flags */
};

struct flow_key6 {
	__u32 local[4], remote[4];
	__u16 local_port, remote_port;
	__u16 interface_slot;
	__u8 protocol;
	__u8 flags;
};

/* One cache line per direction and all that a packet of a known flow touches: the key to be sure of it, and the
 * counters. Two CPUs on the two directions share none. packets and bytes are those of the wire: a GSO or GRO skb counts
 * as the packets it is. */
struct flow_counters {
	union {
		struct flow_key4 key4;
		struct flow_key6 key6;
	};
	__u8 state;     /* enum slot_state; written last */
	__u8 handshake; /* enum tcp_handshake, of a connection that this direction's sender opened */
	__u8 reserved[2];
	__u32 earlier_opened; /* handshakes completed by this sender's earlier connections on this tuple */
	__u64 packets;
	__u64 bytes;
};

/* Two cache lines, next to nothing else: the denser the slots, the fewer page translations miss. The kernel only ever
 * adds to the counters; user space reads them where they are. */
struct flow_slot {
	struct flow_counters counters[DIRECTIONS];
};

/* One cache line. Written once when the flow starts; afterwards only by a SYN, an echo request and by retiring. */
struct flow_identity {
	__u64 started_ns;     /* CLOCK_MONOTONIC */
	__u32 generation;     /* user space adds 1 each time the slot is freed */
	__u8 first_direction; /* enum flow_direction of the first packet */
	__u8 opener;          /* enum flow_opener, from a SYN, a SYN-ACK or an ICMP echo request */
	__u8 reserved_bytes[2];
	__u64 reserved[6];
};

/* One cache line, touched by handshakes and round-trip samples only. */
struct flow_tcp {
	__u32 initial_sequence[DIRECTIONS];
	__u8 initial_sequence_known[DIRECTIONS];
	__u8 reserved_bytes[6];
	__u64 reserved[6];
};

/* The rest of a slot, four cache lines: what not every packet needs. */
struct flow_details {
	struct flow_identity identity;
	struct flow_tcp tcp;
	__u32 rtt_buckets[DIRECTIONS][RTT_BUCKETS]; /* upper bounds 2^-15 .. 2^-1 s, then the rest */
};

/* What one interface saw in one direction, whatever became of the flow. Per CPU.
 * packets and bytes: seen = flow (the slots) + collapsed + other + overflow + filtered. */
struct direction_totals {
	__u64 skbs; /* kernel buffers, what a device counter shows */
	__u64 skb_bytes;
	__u64 seen_packets, seen_bytes;         /* on the wire */
	__u64 other_packets, other_bytes;       /* not IP, or malformed */
	__u64 overflow_packets, overflow_bytes; /* no free slot: the interface total is all there is */
	__u64 filtered_packets, filtered_bytes; /* out of scope */
	__u64 reserved[6];
};

struct interface_totals {
	struct direction_totals direction[DIRECTIONS];
};

/* Per CPU. interface_slot is written by an interface's dispatcher and read by the shared program that it
 * tail-calls, on the same CPU and with bottom halves disabled in between. */
struct cpu_scratch {
	__u32 interface_slot;
	__u32 reserved;
	__u64 tail_call_failed;    /* skbs not counted: the dispatcher could not reach the shared program */
	__u64 index_insert_failed; /* flows sent to overflow although a slot was free */
	__u64 slot_push_failed;    /* slots that did not return to the stack of free slots */
};

/* The entries of the map `programs`. */
enum shared_program {
	PROGRAM_FROM_POD = 0,
	PROGRAM_TO_POD = 1,
	SHARED_PROGRAMS = 2,
};

#endif
