// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A foreign program at XDP that lets everything through. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_pass(struct xdp_md* context) { return XDP_PASS; }

char LICENSE[] SEC("license") = "GPL";
