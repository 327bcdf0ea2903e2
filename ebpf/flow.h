/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Every byte that the kernel programs and the addon share, and the only description of it.
 * Fixed widths, no padding. Addresses and ports are in network order, all other numbers in host order. */
#ifndef PODWEIR_FLOW_H
#define PODWEIR_FLOW_H

#include <linux/types.h>

/* Raised whenever a struct or the meaning of a field changes. Maps, pins and addon compare it. */
#define FLOW_ABI 5

/* Interface slot 0 is never given out: a key of zero bytes matches no flow. */
#define INTERFACE_SLOTS 1024

/* An interface takes no new slot while it holds this many times the free ones (dynamic threshold, Choudhury and Hahne,
 * 1998): one alone gets at most four fifths, and somebody who comes later always finds free ones. */
#define FAIR_SHARE_FACTOR 4

/* The lossy cache in front of the hash index: 2^FRONT_CACHE_BITS sets of four entries, 512 KiB. An entry is a part of
 * the key's hash above the slot's number, and 0 at first. */
#define FRONT_CACHE_BITS 15
#define FRONT_CACHE_WAYS 4
#define FRONT_CACHE_TAG 0xfff00000u /* above the number of a slot: a flow limit is at most 2^20 */

/* Upper bounds 2^-15, 2^-14 .. 2^-1 s, each bound in its bucket, and the rest. */
#define RTT_BUCKETS 16

#define WORKSPACE_WORDS 16

/* As the pod sees it. */
enum flow_direction {
	FROM_POD = 0,
	TO_POD = 1,
	DIRECTIONS = 2,
};

enum flow_flags {
	FLOW_FRAGMENT = 1,  /* a later fragment: it has no ports */
	FLOW_COLLAPSED = 2, /* the higher port was left out, many connections may be in one flow: no TCP state */
	FLOW_ICMP_TYPE = 4, /* ICMP other than echo: both ports are type << 8 | code */
};

/* A slot's state, or-ed to the family by the one who takes the key out of the index: user space to retire the flow, the
 * kernel when a new connection uses the same addresses and ports and gets a slot of its own. */
enum slot_state {
	SLOT_FREE = 0,
	SLOT_IPV4 = 4,
	SLOT_IPV6 = 6,
	SLOT_REPLACED = 0x40,
	SLOT_RETIRING = 0x80,
};

enum flow_opener {
	OPENER_UNKNOWN = 0,
	OPENER_LOCAL = 1,
	OPENER_REMOTE = 2,
};

/* How far a TCP handshake has come, in the line of who opened it. */
enum tcp_handshake {
	HANDSHAKE_NONE = 0, /* not the opener, or its SYN was not seen */
	HANDSHAKE_SYN = 1,
	HANDSHAKE_SYN_ACK = 2,
	HANDSHAKE_DONE = 3,
};

/* How a TCP connection ended, as far as packets say it; what only time tells is decided by who reads this. */
enum tcp_end {
	END_NONE = 0,
	END_FIN = 1,            /* both sides have sent a FIN */
	END_RESET_BY_LOCAL = 2, /* after it was established, or met in the middle */
	END_RESET_BY_REMOTE = 3,
	END_REFUSED = 4,     /* RST to the SYN */
	END_RESET_EARLY = 5, /* RST by either side between SYN-ACK and ACK, or by the opener after its own SYN */
};

/* What `flow_half.known` tells of a sender. */
enum tcp_known {
	KNOWN_SYN = 1,      /* initial_sequence and window_scale */
	KNOWN_SEQUENCE = 2, /* next_sequence */
	KNOWN_ACK = 4,      /* acknowledged and window */
	KNOWN_DATA = 8,     /* first_data_ns of the details */
	KNOWN_FIN = 32,     /* it has sent a FIN */
	KNOWN_SYN_ACK = 64, /* it has sent a SYN-ACK */
};

/* Each packet is in exactly one class: the first ones are not in a flow, the last ones are and are counted here too. */
enum packet_class {
	CLASS_ARP = 0,
	CLASS_NOT_IP = 1,           /* any other EtherType, or a length */
	CLASS_MALFORMED_SHORT = 2,  /* cut before or inside the Ethernet, VLAN or IP header, or shorter than IP says */
	CLASS_MALFORMED_HEADER = 3, /* IP version or header length that can't be */
	CLASS_MALFORMED_TRANSPORT =
		4, /* cut inside its TCP, UDP, SCTP, DCCP or ICMP header, or a TCP header of less than 20 bytes */
	CLASS_FRAGMENT = 5,  /* later fragments, in the flow without ports */
	CLASS_GSO_GUESS = 6, /* a GSO skb inside a tunnel that we can't read: gso_segs is taken for the packets */
	CLASS_FLOW = 7,      /* every other packet of a flow; not counted here */
	PACKET_CLASSES = 8,
	FIRST_FLOW_CLASS = CLASS_FRAGMENT,
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

/* One cache line per direction and all that most packets touch: what they are recognised by, counters, and as much of
 * TCP as in-order data and its acknowledgment need. Two CPUs on the two directions share none. packets and bytes are
 * those of the wire: a GSO or GRO skb counts as the packets it is. What TCP is concerned: what this direction's sender
 * has said, in the order of the packets that we saw, and written by this direction's packets alone; but for `sampling`,
 * which the other one clears, and for `awaited`, `awaited_since_ns` and `awaiting`, which the other one sets. */
struct flow_half {
	union {
		struct flow_key4 key4;
		struct {
			__u64 address_hash; /* of key6, which is in the details */
			__u64 rest_of_key6;
		};
		__u64 name[2];
	};
	__u8 state;     /* enum slot_state; written last */
	__u8 handshake; /* enum tcp_handshake, of a connection that this direction's sender opened */
	__u8 known;     /* enum tcp_known */
	__u8 sampling;  /* epoch of `tcp_detail` in which a sample of this sender's data began, 0: none */
	__u8 awaiting;  /* the same for the other's, in the line that its acknowledgment touches */
	__u8 epoch;     /* of `tcp_detail` in which KNOWN_SEQUENCE and KNOWN_ACK were learnt */
	__u16 window;   /* as sent, not scaled */
	__u64 packets;
	__u64 bytes;
	__u32 next_sequence; /* behind the highest byte sent */
	__u32 acknowledged;  /* highest acknowledgment number */
	__u32 awaited;       /* this sender's acknowledgment of it ends the other's round-trip sample */
	__u32 events; /* grows with each change of what the details say of this direction, or of an end or unreachable
		       */
	__u64 awaited_since_ns;
};

/* Two cache lines, next to nothing else: the denser the slots, the fewer page translations miss. The kernel only ever
 * adds to the counters; user space reads them where they are. */
struct flow_slot {
	struct flow_half half[DIRECTIONS];
};

/* One cache line, written when the flow starts, by a handshake, by an end and by retiring. All times: CLOCK_MONOTONIC.
 */
struct flow_identity {
	__u64 started_ns;
	__u32 generation;     /* user space adds 1 each time the slot is freed */
	__u8 first_direction; /* enum flow_direction of the first packet */
	__u8 opener;          /* enum flow_opener, from a SYN, a SYN-ACK or an ICMP echo request */
	__u8 end;             /* enum tcp_end, the first one that happened */
	__u8 unreachable; /* 1 + code of an ICMP "destination unreachable" that quoted a packet of this flow, 0: none */
	__u64 syn_ns;     /* first SYN, 0: not seen */
	__u64 last_syn_ns;    /* the newest one, sent again or not */
	__u64 syn_ack_ns;     /* first SYN-ACK, 0: not seen */
	__u64 established_ns; /* the opener's acknowledgment of it, 0: not seen */
	__u64 ended_ns;       /* with `end` */
	__u64 unreachable_ns; /* with `unreachable` */
};

/* Of one direction's sender, and rarely touched. Counters are added to atomically. */
struct flow_tcp {
	__u32 initial_sequence;
	__u32 retransmits;
	__u32 out_of_order;   /* packets that came late: they filled a hole */
	__u32 duplicate_acks; /* RFC 5681, section 2 */
	__u32 zero_windows;   /* times that the window closed */
	__u16 resets;
	__u8 window_scale;
	__u8 reserved;
	__u64 rtt_sum_ns; /* of the samples of this sender's data */
};

/* The rest of a slot, five cache lines: what not every packet needs. */
struct flow_details {
	struct flow_identity identity;
	struct flow_key6 key6; /* of an IPv6 flow */
	struct flow_tcp tcp[DIRECTIONS];
	__u64 first_data_ns[DIRECTIONS]; /* in order, behind a SYN that was seen */
	__u64 reserved;
	__u32 rtt_buckets[DIRECTIONS][RTT_BUCKETS]; /* direction of the data */
};

/* Flows started and retired, by interface slot; in entry 0 those of all. The kernel adds to the first two, user space
 * to the other two: the difference is what is in use. */
struct slot_use {
	__u32 started, collapsed_started;
	__u32 retired, collapsed_retired;
};

/* By interface slot, added to atomically: what is here is rare. Packets of the classes before FIRST_FLOW_CLASS are
 * `other` below. */
struct class_totals {
	__u64 packets[DIRECTIONS][PACKET_CLASSES];
	__u64 bytes[DIRECTIONS][PACKET_CLASSES];
};

/* What one interface saw in one direction, whatever became of the flow. Per CPU.
 * packets and bytes: seen = flow + collapsed (both in slots) + other + overflow + filtered. */
struct direction_totals {
	__u64 skbs; /* kernel buffers, what a device counter shows */
	__u64 skb_bytes;
	__u64 seen_packets, seen_bytes;         /* on the wire */
	__u64 other_packets, other_bytes;       /* not IP, or malformed: the sum of their classes */
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
	__u64 connections_merged; /* no slot was free for a new connection on used ports: it goes on in the old one's */
	__u64 reserved_words[3];
	__u64 workspace[WORKSPACE_WORDS]; /* the kernel's own: struct workspace of packet.bpf.h */
};

/* The entries of the map `programs`: by the EtherType of the frame, then by direction. */
enum shared_program {
	PROGRAM_IPV4 = 0,
	PROGRAM_IPV6 = 2,
	PROGRAM_REST = 4, /* takes every frame */
	SHARED_PROGRAMS = 6,
};

#endif
