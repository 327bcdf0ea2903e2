/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The one TCP option that later packets can't be read without. */
#ifndef PODWEIR_TCP_OPTIONS_BPF_H
#define PODWEIR_TCP_OPTIONS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "headers.bpf.h"

#define MOST_OPTIONS 10 /* 40 bytes have room for more only if they say nothing */

#define OPTION_IS_SCALE 0x100 /* the lower byte is the shift, and not the option's length */

/* The option at `offset`, which has `bytes` left: its length, or the shift of a window scale, or 0 at the end. */
__noinline __u32 read_option(struct __sk_buff *skb, __u32 offset, __u32 bytes)
{
	__u8 option[TCP_OPTION_WINDOW_SCALE_BYTES] = {};

	if (!bytes || bpf_skb_load_bytes(skb, offset, option, 1) || option[0] == TCP_OPTION_END)
		return 0;
	if (option[0] == TCP_OPTION_NOP)
		return 1;
	if (bytes < 2 || bpf_skb_load_bytes(skb, offset, option, 2) || option[1] < 2)
		return 0;
	if (option[0] != TCP_OPTION_WINDOW_SCALE)
		return option[1];
	if (bytes < sizeof(option) || bpf_skb_load_bytes(skb, offset, option, sizeof(option)))
		return 0;
	return OPTION_IS_SCALE | (option[2] < TCP_LARGEST_WINDOW_SCALE ? option[2] : TCP_LARGEST_WINDOW_SCALE);
}

/* RFC 7323, section 2.2; 0 without the option. `offset`: of the TCP header. */
__noinline __u32 window_scale(struct __sk_buff *skb, __u32 offset)
{
	__u32 end, option;
	__u8 words;

	if (bpf_skb_load_bytes(skb, offset + offsetof(struct tcp_header, offset), &words, sizeof(words)))
		return 0;
	end = offset + (words >> 4) * 4;
	offset += sizeof(struct tcp_header);
#pragma unroll
	for (int i = 0; i < MOST_OPTIONS; i++) {
		option = offset < end ? read_option(skb, offset, end - offset) : 0;
		if (!option || option & OPTION_IS_SCALE)
			return option & 0xff;
		offset += option;
	}
	return 0;
}

#endif
