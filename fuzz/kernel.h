// What kernel.c offers: the programs by the direction that their dispatchers give them, and their globals.
#ifndef PODWEIR_FUZZ_KERNEL_H
#define PODWEIR_FUZZ_KERNEL_H

#include <linux/bpf.h>

#ifdef __cplusplus
extern "C" {
#endif

int run_program(struct __sk_buff* skb, int direction);

// As after loading, with user space's numbers in the constants.
void reset_globals(__u32 flow_slots, __u32 collapsed_slots);

extern volatile __u32 tcp_detail;

#ifdef __cplusplus
}
#endif

#endif
