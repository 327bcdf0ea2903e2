// Stands in for libbpf's bpf_helpers.h where ebpf/ is compiled for this machine: helpers become functions of maps.cc
// and skb.c. A helper that is not in this list is called at a small number as its address, which the sanitizer reports.
#ifndef PODWEIR_FUZZ_BPF_HELPERS_H
#define PODWEIR_FUZZ_BPF_HELPERS_H

#include <linux/bpf.h>
#include_next <bpf/bpf_helpers.h>

// The header's own looks through a null pointer, which is undefined behaviour on this machine.
#undef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)

void* native_map_lookup_elem(void* map, const void* key);
long native_map_update_elem(void* map, const void* key, const void* value, __u64 flags);
long native_map_delete_elem(void* map, const void* key);
long native_map_push_elem(void* map, const void* value, __u64 flags);
long native_map_pop_elem(void* map, void* value);
__u64 native_ktime_get_ns(void);
void native_spin_lock(struct bpf_spin_lock* lock);
void native_spin_unlock(struct bpf_spin_lock* lock);
long native_skb_load_bytes(const void* skb, __u32 offset, void* to, __u32 bytes);

#define bpf_map_lookup_elem native_map_lookup_elem
#define bpf_map_update_elem native_map_update_elem
#define bpf_map_delete_elem native_map_delete_elem
#define bpf_map_push_elem native_map_push_elem
#define bpf_map_pop_elem native_map_pop_elem
#define bpf_ktime_get_ns native_ktime_get_ns
// With arguments: the first is a struct's name, too.
#define bpf_spin_lock(lock) native_spin_lock(lock)
#define bpf_spin_unlock(lock) native_spin_unlock(lock)
#define bpf_skb_load_bytes native_skb_load_bytes

#endif
