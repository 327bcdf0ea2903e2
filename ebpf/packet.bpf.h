/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What parsing makes of a packet, and the two ways in which it reads the packet's bytes. */
#ifndef PODWEIR_PACKET_BPF_H
#define PODWEIR_PACKET_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "headers.bpf.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys are built as little-endian words");

#define KEY_WORDS 5
#define LAST_WORD (KEY_WORDS - 1) /* ports, interface slot, protocol and flags */

/* Words, though most need fewer bits: a register is not cut to them. */
struct packet {
	__u64 packets, bytes;                /* on the wire */
	__u32 sequence, acknowledgment;      /* TCP, host order */
	__u32 payload_bytes;                 /* TCP */
	__u32 source_port, destination_port; /* network order */
	__u32 window;                        /* TCP, host order, not scaled */
	__u32 tcp_flags;
	__u32 protocol;
	__u32 flags;            /* enum flow_flags */
	__u32 follow_tcp;       /* a whole TCP segment, not the first part of a fragmented one */
	__u16 transport_offset; /* of the TCP header in the frame */
	__u16 quoted_offset;    /* of the packet that an ICMP "destination unreachable" quotes, or 0 */
	__u8 quoted_code;
	__u8 packet_class; /* enum packet_class */
	__u8 family;       /* 4 or 6, of a packet that belongs to a flow */
	__u8 icmp;         /* the next field and the quoted ones may be set */
	__u8 echo_request;
	__u8 unsent_bytes; /* of a GSO skb: a header that none of its packets has on the wire */
};

/* Built and compared as words: a word that is read right behind narrower writes waits until they are in the cache. The
 * keys end together, and the words in front of an IPv4 key are 0: most of what is done with a key is the same for both.
 */
union flow_key {
	struct {
		__u64 nothing[3];
		struct flow_key4 v4;
	};
	struct flow_key6 v6;
	__u64 words[KEY_WORDS];
};

/* Where parsing has come to in the frame. */
struct cursor {
	__u32 offset; /* of the next header */
	__u32 end;    /* behind the IP packet */
};

/* Of the packet at hand, per CPU: what functions that the verifier checks by themselves share, since they can't be
 * given pointers to their caller's stack before 5.12; and to the verifier it is the same whichever way a packet was
 * parsed. */
struct workspace {
	struct packet packet;
	union flow_key key;
	struct cursor cursor;
	__u32 is_left_out; /* out of scope: from where a slot was asked for to where the packet is counted */
};

_Static_assert(sizeof(struct workspace) <= WORKSPACE_WORDS * sizeof(__u64), "it has a place in struct cpu_scratch");

/* Two neighbours in memory as one word, on the little-endian machines that this is for. */
static __always_inline __u64 two_words(__u32 first, __u32 second)
{
	return (__u64)second << 32 | first;
}

static __always_inline __u32 metadata_tag_bytes(struct __sk_buff *skb)
{
	/* Volatile: the verifier takes a context access at a constant offset only, and clang would hoist the sum. */
	return ((volatile struct __sk_buff *)skb)->vlan_present ? VLAN_TAG_BYTES : 0;
}

static __always_inline void begin_packet(struct __sk_buff *skb, struct packet *packet)
{
	__builtin_memset(packet, 0, sizeof(*packet));
	packet->packets = 1;
	packet->bytes = skb->len + metadata_tag_bytes(skb);
	packet->packet_class = CLASS_FLOW;
}

/* A GSO or GRO skb stands for several packets, each with its own copy of the headers and of the tag in metadata. */
static __always_inline void expand(struct packet *packet, __u64 packets, __u32 header_bytes, __u32 tag_bytes)
{
	if (packets <= 1)
		return;
	packet->packets = packets;
	packet->bytes += (packets - 1) * (header_bytes + tag_bytes);
}

/* What two words differ in, when they change places because it is the destination that is local. Without a branch: of
 * one that depends on the direction the verifier walks both ways, from there to the end. */
static __always_inline __u64 swap_of(__u32 direction, __u64 source, __u64 destination)
{
	return (source ^ destination) & -(__u64)(direction & 1);
}

/* The compiler would make a branch of it, too. */
static __always_inline __u32 opposite(__u32 direction)
{
	__u32 other = ~direction & 1;

	barrier_var(other);
	return other;
}

static __always_inline void set_key4(union flow_key *key, __u32 direction, __be32 source, __be32 destination)
{
	__u32 swap = swap_of(direction, source, destination);

	key->words[0] = key->words[1] = key->words[2] = 0;
	key->words[3] = two_words(source ^ swap, destination ^ swap);
}

static __always_inline void set_key6(union flow_key *key, __u32 direction, const __be32 *source,
				     const __be32 *destination)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		__u64 from = two_words(source[2 * i], source[2 * i + 1]);
		__u64 to = two_words(destination[2 * i], destination[2 * i + 1]);
		__u64 swap = swap_of(direction, from, to);

		key->words[i] = from ^ swap;
		key->words[i + 2] = to ^ swap;
	}
}

static __always_inline void set_last_word(union flow_key *key, const struct packet *packet, __u32 interface_slot,
					  __u32 direction)
{
	__u32 source = packet->source_port, destination = packet->destination_port;
	__u32 swap = swap_of(direction, source, destination);

	key->words[LAST_WORD] = (source ^ swap) | (destination ^ swap) << 16 | (__u64)interface_slot << 32 |
				(__u64)packet->protocol << 48 | (__u64)packet->flags << 56;
}

#endif
