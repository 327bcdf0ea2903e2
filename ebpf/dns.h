/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Bytes that the programs of dns.bpf.c share with user space (addon/dns_tap.cc). */
#ifndef PODWEIR_DNS_H
#define PODWEIR_DNS_H

#include <linux/types.h>

#define DNS_PORT 53
#define DNS_RING_BYTES (256 * 1024)
/* Of one interface between two readings: who floods does not take the others' place. */
#define DNS_SHARE_BYTES (DNS_RING_BYTES / 4)
/* The reader is woken when so much waits. Below that it looks once a drain. */
#define DNS_WAKE_BYTES (DNS_SHARE_BYTES / 2)
/* What EDNS asks for at most in practice (RFC 6891, section 6.2.5); of what is longer the first part is told. */
#define DNS_PAYLOAD_BYTES 4096

/* What the ring holds: this, then `payload_bytes` of payload. The remote port is DNS_PORT. */
struct dns_message {
	__u64 at_ns;               /* CLOCK_MONOTONIC */
	__u32 local[4], remote[4]; /* network order, IPv4 in the first word */
	__u16 local_port;          /* network order */
	__u16 interface_slot;
	__u16 payload_bytes;
	__u8 direction; /* enum flow_direction: a query, or an answer */
	__u8 family;    /* 4 or 6 */
	__u8 protocol;  /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 cut;       /* there was more than this */
	__u8 reserved[6];
};

/* What one interface has put into the ring since the reading of that number. */
struct dns_share {
	__u32 reading;
	__u32 bytes;
};

#endif
