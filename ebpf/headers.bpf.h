/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the wire's headers look like: layouts and numbers of protocols, nothing that is ours. */
#ifndef PODWEIR_HEADERS_BPF_H
#define PODWEIR_HEADERS_BPF_H

#include <linux/types.h>

#define VLAN_TAG_BYTES 4
#define IP_FRAGMENT_OFFSET 0x1fff
#define GSO_BY_FRAGS 0xffff /* include/linux/skbuff.h: SCTP gives no segment size */

#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define ICMP_ECHO_REQUEST 8 /* RFC 792 */
#define ICMP_ECHO_REPLY 0
#define ICMP6_ECHO_REQUEST 128 /* RFC 4443 */
#define ICMP6_ECHO_REPLY 129

/* linux/if_ether.h has it packed, and then every field is read byte by byte. */
struct ethernet_header {
	__u8 destination[6], source[6];
	__be16 type;
};

struct vlan_header {
	__be16 tag;
	__be16 type;
};

struct tcp_header {
	__be16 source, destination;
	__be32 sequence, acknowledgment;
	__u8 offset; /* high nibble: header length in words */
	__u8 flags;
	__be16 window;
};

struct udp_header {
	__be16 source, destination;
	__be16 length, checksum;
};

struct icmp_header {
	__u8 type, code;
	__be16 checksum;
	__be16 identifier, sequence;
};

struct ipv6_extension {
	__u8 next;
	__u8 length; /* in 8 bytes, without the first 8; a fragment header has none */
	__be16 fragment_offset;
	__be32 rest;
};

#endif
