// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// The rules in the kernel. User space (internal/guard) resolves precedence beforehand: one look-up by source address
// finds all that can apply to it.
//
// A revision takes force by one write to `generation`. Until then every changed entry says what holds before and
// after; a packet reads `generation` once, so it sees the old rules everywhere or the new ones everywhere.

#pragma once

#define MAX_PREFIXES (1 << 21) // old and new ones together while a revision is being applied
#define MAX_RULES (1 << 20)
#define COUNTER_CHUNK_BITS 14
#define COUNTER_CHUNK (1 << COUNTER_CHUNK_BITS)
#define MAX_CONDITIONS (1 << 16) // rules that say more than "allow" or "deny"
#define MAX_CHAINS (1 << 14)
#define CHAIN_LENGTH 16
#define PORT_RANGES 8

// What applies to a source: kind in the upper bits, index in the lower.
#define REFERENCE_KIND_SHIFT 28
#define REFERENCE_INDEX_MASK ((1U << REFERENCE_KIND_SHIFT) - 1)
enum reference_kind {
	REFERENCE_NONE,
	REFERENCE_DENY, // index: the rule's counter
	REFERENCE_ALLOW, // index: the rule's counter
	REFERENCE_CONDITION, // index into `conditions`
	REFERENCE_CHAIN, // index into `chains`
};

enum rule_action {
	ACTION_ALLOW = 1,
	ACTION_DENY,
	ACTION_RATE,
};

struct prefix_entry {
	__u32 since; // generation from which `after` holds
	__u32 before;
	__u32 after;
};

// Time between two packets of one source, and how far ahead of that a burst may run, in nanoseconds.
struct limit {
	__u64 packet_interval; // 0: no limit
	__u64 packet_tolerance;
	__u64 syn_interval; // 0: no limit
	__u64 syn_tolerance;
};

struct port_range {
	__u16 first;
	__u16 last;
};

struct condition {
	struct limit limit;
	struct port_range ports[PORT_RANGES]; // unused ones are empty: first > last
	__u32 counter;
	__u8 action;
	__u8 protocol; // 0: any
	__u8 has_ports;
	__u8 count_only;
};

// Conditions to try in this order; index + 1, 0 ends the chain.
struct chain {
	__u32 conditions[CHAIN_LENGTH];
};

struct policy {
	struct limit source_limit;
	__u32 enforcing;
	__u32 drop_by_default;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ipv4_prefix);
	__type(value, struct prefix_entry);
	__uint(max_entries, MAX_PREFIXES);
} ipv4_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ipv6_prefix);
	__type(value, struct prefix_entry);
	__uint(max_entries, MAX_PREFIXES);
} ipv6_prefixes SEC(".maps");

#define MEMORY_BITS 12

// The answer of the last look-up of a source. It holds for one generation, in which nothing that it names changes.
struct remembered {
	__u64 source[2];
	__u32 generation; // 0, in which nothing is enforced: empty
	__u32 reference;
	__u64 kind; // enum packet_kind
};

// Sources of late, by a hash. Walking the prefixes takes a step for each doubling of their number: this one.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct remembered);
	__uint(max_entries, 1 << MEMORY_BITS);
} memory SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct condition);
	__uint(max_entries, MAX_CONDITIONS);
} conditions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct chain);
	__uint(max_entries, MAX_CHAINS);
} chains SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} generation SEC(".maps");

// At [generation % 2].
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct policy);
	__uint(max_entries, 2);
} policies SEC(".maps");

struct rule_counter {
	__u64 packets;
	__u64 bytes;
	__u64 over_limit;
};

// Counters of COUNTER_CHUNK rules each; a chunk is made when its first rule is.
struct rule_counter_chunk {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct rule_counter));
	__uint(max_entries, COUNTER_CHUNK);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__type(key, __u32);
	__uint(max_entries, MAX_RULES / COUNTER_CHUNK);
	__array(values, struct rule_counter_chunk);
} rule_counters SEC(".maps");

static __always_inline struct rule_counter *find_rule_counter(__u32 counter, struct packet *packet)
{
	void *chunk = at(&rule_counters, counter >> COUNTER_CHUNK_BITS, packet);

	return chunk ? at(chunk, counter & (COUNTER_CHUNK - 1), packet) : NULL;
}

static __always_inline void count_match(__u32 counter, struct packet *packet, bool over_limit)
{
	struct rule_counter *found = find_rule_counter(counter, packet);

	if (!found)
		return;
	found->packets++;
	found->bytes += packet->length;
	found->over_limit += over_limit;
}

static __always_inline struct prefix_entry *find_prefix(struct packet *packet)
{
	if (packet->kind == KIND_IPV4) {
		packet->key.ipv4.length = 32;
		packet->key.ipv4.address = packet->source.ipv4;
		return bpf_map_lookup_elem(&ipv4_prefixes, &packet->key.ipv4);
	}
	packet->key.ipv6.length = 128;
	__builtin_memcpy(packet->key.ipv6.address, packet->source.ipv6, sizeof(packet->key.ipv6.address));
	return bpf_map_lookup_elem(&ipv6_prefixes, &packet->key.ipv6);
}

// Read once, so that all of a packet is judged by the same rules.
static __always_inline void read_generation(struct packet *packet)
{
	__u32 *counted = at(&generation, 0, packet);

	packet->generation = counted ? *(volatile __u32 *)counted : 0;
}

static __always_inline struct policy *current_policy(struct packet *packet)
{
	return at(&policies, packet->generation % 2, packet);
}

static __always_inline struct remembered *memory_of_source(struct packet *packet)
{
	__u64 mixed = (packet->source.ipv6[0] ^ packet->source.ipv6[1] * MIX_LOWER) * MIX;

	return at(&memory, mixed >> (64 - MEMORY_BITS), packet);
}

static __always_inline bool is_remembered(const struct remembered *remembered, const struct packet *packet)
{
	return remembered->generation == packet->generation && remembered->kind == packet->kind &&
	       remembered->source[0] == packet->source.ipv6[0] && remembered->source[1] == packet->source.ipv6[1];
}

static __always_inline void remember(struct packet *packet)
{
	struct remembered *remembered = memory_of_source(packet);

	if (!remembered)
		return;
	remembered->source[0] = packet->source.ipv6[0];
	remembered->source[1] = packet->source.ipv6[1];
	remembered->generation = packet->generation;
	remembered->reference = packet->reference;
	remembered->kind = packet->kind;
}

// Not static: a function of its own leaves its caller registers enough to keep off the stack.
__noinline int look_reference_up(void)
{
	struct packet *packet = this_packet();

	if (!packet)
		return 0;
	struct prefix_entry *entry = NULL;
	if (must_walk()) {
		packet->reference = REFERENCE_NONE;
		entry = find_prefix(packet);
	}
	if (entry) {
		// Both are read first: choosing between their addresses would take CAP_PERFMON.
		__u32 before = *(volatile __u32 *)&entry->before, after = *(volatile __u32 *)&entry->after;
		packet->reference = packet->generation >= entry->since ? after : before;
	}
	remember(packet);
	return 0;
}

// Leaves in packet->reference what applies to the source of a packet, in its generation.
static __always_inline void find_reference(struct packet *packet)
{
	struct remembered *remembered = memory_of_source(packet);

	if (remembered && is_remembered(remembered, packet))
		packet->reference = remembered->reference;
	else
		look_reference_up();
}

// Whether a port is in one of the ranges; without branches, which the verifier would all follow.
static __always_inline bool in_ranges(const struct port_range *ranges, __s32 port)
{
	__s32 outside = -1;

	for (int i = 0; i < PORT_RANGES; i++)
		outside &= ((port - ranges[i].first) | (ranges[i].last - port)) >> 31;
	return !outside;
}

static __always_inline bool matches(const struct condition *condition, const struct packet *packet)
{
	if (condition->protocol && condition->protocol != packet->protocol)
		return false;
	if (!condition->has_ports)
		return true;
	return packet->has_ports && in_ranges(condition->ports, packet->destination_port);
}
