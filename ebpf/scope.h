/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What is in scope: bytes that the kernel programs and the addon share (addon/scope.cc). */
#ifndef PODWEIR_SCOPE_H
#define PODWEIR_SCOPE_H

#include <linux/types.h>

/* Blocks of remote addresses, each family's. */
#define SCOPE_BLOCKS_LIMIT 2048

/* Bits of `scope_rules`: which rules there are. */
enum scope_rules {
	SCOPE_INTERFACES = 1,      /* an interface may be out of scope, at any time */
	SCOPE_BLOCKS = 2,          /* an address that is in a block is decided by the longest one */
	SCOPE_BLOCKS_INCLUDED = 4, /* an address that is in none is out of scope */
	SCOPE_PORTS = 8,
	SCOPE_PORTS_INCLUDED = 16, /* what has no included port is out of scope */
};

/* Of one block. */
enum scope_block {
	BLOCK_EXCLUDED = 1,
	BLOCK_INCLUDED = 2,
};

/* Places of a transport's two bits in a port's byte. */
enum scope_transport {
	SCOPE_TCP = 0,
	SCOPE_UDP = 1, /* UDP-Lite too */
	SCOPE_SCTP = 2,
	SCOPE_DCCP = 3,
	SCOPE_NO_PORTS = 8,
};

#define PORT_INCLUDED 0x01
#define PORT_EXCLUDED 0x10

/* A word of `scope_ports`: a byte a port, the lowest port in the lowest byte. */
#define PORTS_PER_WORD 8
#define PORT_WORDS 8192

/* Keys of the two tries, as BPF_MAP_TYPE_LPM_TRIE has them; addresses in network order. */
struct scope_block4 {
	__u32 prefix_length;
	__u32 address;
};

struct scope_block6 {
	__u32 prefix_length;
	__u32 address[4];
};

#endif
