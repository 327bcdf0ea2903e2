// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* A foreign program that delivers into a pod as some CNIs do: past the host's end of its pair. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

/* Index of the host's end of the pod's pair, and how many skbs were redirected to its other end. */
struct redirection {
  __u64 device;
  __u64 redirected;
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct redirection);
} redirections SEC(".maps");

static __always_inline struct redirection* found(void) {
  __u32 key = 0;

  return bpf_map_lookup_elem(&redirections, &key);
}

SEC("tc")
int to_peer(struct __sk_buff* skb) {
  struct redirection* redirection = found();

  if (!redirection || !redirection->device) return TC_ACT_UNSPEC;
  __sync_fetch_and_add(&redirection->redirected, 1);
  return bpf_redirect_peer(redirection->device, 0);
}

/* Out of the host's end itself, with the neighbour's address filled in: what others at that end see too. */
SEC("tc")
int to_neighbour(struct __sk_buff* skb) {
  struct redirection* redirection = found();

  if (!redirection || !redirection->device) return TC_ACT_UNSPEC;
  __sync_fetch_and_add(&redirection->redirected, 1);
  return bpf_redirect(redirection->device, 0);
}

char LICENSE[] SEC("license") = "GPL";
