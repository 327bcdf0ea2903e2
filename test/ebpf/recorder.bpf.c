// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Keeps the beginning of each frame that passes its place in the chain, with the time: what a capture has, without a
 * capture's own work between the clock and whoever is next in the chain. For traffic on one CPU. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define MOST_FRAMES 32768
#define SNAP_BYTES 96

struct frame {
  __u64 monotonic_ns;
  __u32 bytes, kept;
  __u8 data[SNAP_BYTES];
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MOST_FRAMES);
  __type(key, __u32);
  __type(value, struct frame);
} frames SEC(".maps");

/* More than MOST_FRAMES: the rest is missing. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u32);
} recorded SEC(".maps");

SEC("tc")
int record(struct __sk_buff* skb) {
  __u64 now = bpf_ktime_get_ns();
  struct frame* frame;
  __u32 zero = 0, kept = skb->len, *number = bpf_map_lookup_elem(&recorded, &zero);

  if (!number) return TC_ACT_UNSPEC;
  frame = bpf_map_lookup_elem(&frames, number);
  __sync_fetch_and_add(number, 1);
  if (!frame) return TC_ACT_UNSPEC;
  if (kept > SNAP_BYTES) kept = SNAP_BYTES;
  frame->monotonic_ns = now;
  frame->bytes = skb->len;
  frame->kept = kept;
  if (kept > 0) bpf_skb_load_bytes(skb, 0, frame->data, kept);
  return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "GPL";
