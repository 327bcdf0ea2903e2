/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Every map: its size, who writes it, who reads it. Sizes marked "set at load" come from the flow limit. */
#ifndef PODWEIR_MAPS_BPF_H
#define PODWEIR_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "flow.h"
#include "packet.bpf.h"

/* The dispatchers tail-call into it. Filled once, after loading. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, SHARED_PROGRAMS);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_scratch);
} scratch SEC(".maps");

/* Written by the kernel, read by each drain, zeroed by user space when an interface slot is given back. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, struct interface_totals);
} interface_totals SEC(".maps");

/* Flow key to slot. The kernel adds, user space deletes (retires). Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key4);
	__type(value, __u32);
} index4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key6);
	__type(value, __u32);
} index6 SEC(".maps");

/* The flows. User space reads them through a mapping of this memory. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_slot);
} slots SEC(".maps");

/* By the same number as slots. Set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_details);
} slot_details SEC(".maps");

/* Slots that hold no flow: those below slot_limit. The kernel pops; user space pushes at load and when it retires. Set
 * at load. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_slots SEC(".maps");

/* The same for the slots from slot_limit on, which only collapsed flows use. */
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_collapsed SEC(".maps");

/* Who has how many slots, see struct slot_use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, struct slot_use);
} slot_use SEC(".maps");

/* What is no ordinary packet of a flow. Zeroed by user space when an interface slot is given back. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, INTERFACE_SLOTS);
	__type(key, __u32);
	__type(value, struct class_totals);
} class_counts SEC(".maps");

/* Updating it from user space waits for an RCU grace period (maybe_wait_bpf_programs, kernel/bpf/syscall.c):
 * the barrier of retiring. No program reads it. */
struct barrier_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct barrier_inner barrier_target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct barrier_inner);
} barrier SEC(".maps");

/* Numbers of slots: below the first for flows, from there on so many for collapsed ones. Set before load. */
const volatile __u32 slot_limit = 32768, collapsed_limit = 4096;

/* 0 turns following of TCP off, apart from how connections begin and end. Otherwise 1 to 255, another one each time
 * that it is turned on: what was begun before then is not trusted. Written by user space. */
volatile __u32 tcp_detail = 1;

static const __u32 zero;

/* NULL can't be: the map has its one entry from the start. */
static __always_inline struct workspace *workspace_of(struct cpu_scratch *scratch_cpu)
{
	return (struct workspace *)scratch_cpu->workspace;
}

static __always_inline struct workspace *own_workspace(void)
{
	struct cpu_scratch *scratch_cpu = bpf_map_lookup_elem(&scratch, &zero);

	return scratch_cpu ? workspace_of(scratch_cpu) : NULL;
}

#endif
