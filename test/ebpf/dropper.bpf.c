// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Loses TCP packets on purpose: the first ones that have given flags, or any by chance. Knows nothing of Podweir. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define FLAGS_OFFSET 13 /* of the TCP header */

struct rule {
  __u32 flags_mask, flags; /* of the packets that it is about; a mask of 0: of all */
  __u32 first;             /* so many of them are lost */
  __u32 chance;            /* of each one more to be lost, in 2^-32 */
  __u64 random;            /* seed, not 0 */
  __u32 matched, lost;     /* so far */
};

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct rule);
} rule SEC(".maps");

/* xorshift64 (Marsaglia, 2003) */
static __always_inline __u32 next_random(struct rule* rule) {
  __u64 word = rule->random;

  word ^= word << 13;
  word ^= word >> 7;
  word ^= word << 17;
  rule->random = word;
  return word >> 32;
}

/* Returns -1 for what is not TCP in IPv4. */
static __always_inline int tcp_flags(struct __sk_buff* skb) {
  struct iphdr ip;
  __u8 flags;

  if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) ||
      ip.protocol != IPPROTO_TCP ||
      bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4 + FLAGS_OFFSET, &flags, sizeof(flags)))
    return -1;
  return flags;
}

SEC("tc")
int drop(struct __sk_buff* skb) {
  int flags = tcp_flags(skb);
  __u32 zero = 0;
  struct rule* here = bpf_map_lookup_elem(&rule, &zero);

  if (!here || flags < 0 || (flags & here->flags_mask) != here->flags) return TC_ACT_UNSPEC;
  here->matched++;
  if (here->matched > here->first && next_random(here) >= here->chance) return TC_ACT_UNSPEC;
  here->lost++;
  return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "GPL";
