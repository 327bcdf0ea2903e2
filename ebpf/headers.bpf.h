/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the wire's headers look like: layouts and numbers of protocols, nothing that is ours. */
#ifndef PODWEIR_HEADERS_BPF_H
#define PODWEIR_HEADERS_BPF_H

#include <linux/types.h>

#define VLAN_TAG_BYTES 4
#define IP_FRAGMENT_OFFSET 0x1fff
#define IP_MORE_FRAGMENTS 0x2000
#define IPV6_FRAGMENT_OFFSET 0xfff8 /* in a fragment header; the lowest bit: more fragments follow */
#define IPV6_MORE_FRAGMENTS 0x0001
#define JUMBO_HEADER_BYTES 8 /* hop-by-hop options with the one option of RFC 2675 */
#define GSO_BY_FRAGS 0xffff  /* include/linux/skbuff.h: SCTP gives no segment size */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define ICMP_ECHO_REQUEST 8 /* RFC 792 */
#define ICMP_ECHO_REPLY 0
#define ICMP6_ECHO_REQUEST 128 /* RFC 4443 */
#define ICMP6_ECHO_REPLY 129
#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4 /* a code of it that says only that the packet was too big */
#define ICMP6_UNREACHABLE 1

#define IPPROTO_IPV4_IN_IP 4
#define TCP_OPTION_END 0
#define TCP_OPTION_NOP 1
#define TCP_OPTION_WINDOW_SCALE 3 /* RFC 7323 */
#define TCP_OPTION_WINDOW_SCALE_BYTES 3
#define TCP_LARGEST_WINDOW_SCALE 14

#define ETH_P_TRANSPARENT_BRIDGING 0x6558 /* Ethernet in GRE or Geneve */
#define VXLAN_PORT 4789                   /* RFC 7348 */
#define VXLAN_PORT_LINUX 8472             /* before it had a number; flannel's */
#define GENEVE_PORT 6081                  /* RFC 8926 */
#define VXLAN_HEADER_BYTES 8
#define GENEVE_HEADER_BYTES 8
#define GENEVE_OPTION_WORDS 0x3f
#define GRE_HEADER_BYTES 4
#define GRE_FIELD_BYTES 4 /* of each of the optional ones, RFC 2890 */
#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000

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
	__be16 checksum, urgent_pointer;
};

struct udp_header {
	__be16 source, destination;
	__be16 length, checksum;
};

/* What SCTP and DCCP begin with, too. */
struct ports_header {
	__be16 source, destination;
};

struct icmp_header {
	__u8 type, code;
	__be16 checksum;
};

struct icmp_echo {
	struct icmp_header header;
	__be16 identifier, sequence;
};

/* An error message: 4 bytes that depend on its type, then the packet that caused it. */
#define ICMP_QUOTE_OFFSET 8

struct ipv6_extension {
	__u8 next;
	__u8 length; /* in 8 bytes, without the first 8; a fragment header has none */
	__be16 fragment_offset;
	__be32 rest;
};

#endif
