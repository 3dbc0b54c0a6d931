// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Judges every packet by the node's rules, counts it, and hands the ingest's datagrams on.

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "ingest.h"
#include "packet.h"
#include "prefilter.h"
#include "rules.h"
#include "bucket.h"
#include "telemetry.h"

#define FIRST_UNPRIVILEGED_PORT 1024

// What always passes, by port.
enum port_flag {
	PORT_TCP = 1, // to this port
	PORT_UDP = 2,
	PORT_TCP_REPLY = 4, // from this port to an unprivileged one, in a connection that exists
	PORT_UDP_REPLY = 8,
};

// The flags of PORTS_PER_WORD ports, the lowest port's in the lowest byte: all of them fit a CPU's nearest cache.
#define PORTS_PER_WORD 8
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, (1 << 16) / PORTS_PER_WORD);
} fail_safe_ports SEC(".maps");

// Tests stop the clock; in the node's program the verifier removes these lines.
volatile const bool clock_stopped = false;
__u64 stopped_at = 0;

// Nanoseconds between two ticks of the kernel's timer.
volatile const __u64 tick = 4000000;

static __always_inline __u64 clock(void)
{
	// The resolution of the tick is enough: every burst is worth more than one (internal/guard). Counting ticks is one
	// load; bpf_ktime_get_coarse_ns, which knows no more, costs a tenth of all the program does.
	return clock_stopped ? stopped_at : bpf_jiffies64() * tick;
}

// The flags of a port of the packet, which is read again rather than kept.
static __always_inline __u8 port_flags(const volatile __u16 *port, struct packet *packet)
{
	__u64 *flags = at(&fail_safe_ports, *port / PORTS_PER_WORD, packet);

	return flags ? *flags >> *port % PORTS_PER_WORD * 8 : 0;
}

// DHCP servers and clients, on both their ports.
static __always_inline bool is_dhcp(const struct packet *packet)
{
	__u16 first = packet->kind == KIND_IPV4 ? 67 : 546;

	return packet->protocol == IPPROTO_UDP && (__u16)(packet->source_port - first) <= 1 &&
	       (__u16)(packet->destination_port - first) <= 1;
}

static __always_inline bool is_fail_safe(struct packet *packet)
{
	if (packet->neighbour_discovery)
		return true;
	if (!packet->has_ports)
		return false;
	__u8 flags = port_flags(&packet->destination_port, packet);
	if (flags & (packet->protocol == IPPROTO_TCP ? PORT_TCP : PORT_UDP))
		return true;
	if (is_dhcp(packet))
		return true;
	if (packet->destination_port < FIRST_UNPRIVILEGED_PORT)
		return false;
	flags = port_flags(&packet->source_port, packet);
	return packet->protocol == IPPROTO_TCP ? packet->acknowledges && flags & PORT_TCP_REPLY : flags & PORT_UDP_REPLY;
}

static __always_inline enum verdict limit_verdict(enum bucket_answer answer)
{
	switch (answer) {
	case BUCKET_PACKETS_EXCEEDED:
		return DROP_PACKET_LIMIT;
	case BUCKET_SYNS_EXCEEDED:
		return DROP_SYN_LIMIT;
	default:
		return PASS_WITHIN_LIMIT;
	}
}

// Tries one condition. Returns the verdict, or UNDECIDED. Not static, as parse_any.
__noinline int try_condition(__u32 index)
{
	struct packet *packet = this_packet();
	enum bucket_answer answer = BUCKET_WITHIN;

	if (!packet)
		return UNDECIDED;
	struct condition *condition = at(&conditions, index, packet);
	if (!condition || !matches(condition, packet))
		return UNDECIDED;
	if (condition->action == ACTION_RATE)
		answer = take_token(packet, &condition->limit, condition->counter);
	count_match(condition->counter, packet, answer != BUCKET_WITHIN);
	if (condition->count_only)
		return UNDECIDED;
	packet->rule = condition->counter;
	if (condition->action == ACTION_ALLOW)
		return PASS_ALLOWED;
	if (condition->action == ACTION_DENY)
		return DROP_DENIED;
	return limit_verdict(answer);
}

__noinline int try_chain(__u32 index)
{
	struct packet *packet = this_packet();

	if (!packet)
		return UNDECIDED;
	struct chain *chain = at(&chains, index, packet);
	if (!chain)
		return UNDECIDED;
	_Pragma("unroll") // an index into a map's value would take CAP_PERFMON
	for (int i = 0; i < CHAIN_LENGTH; i++) {
		__u32 condition = chain->conditions[i];
		if (!condition)
			return UNDECIDED;
		int verdict = try_condition(condition - 1);
		if (verdict != UNDECIDED)
			return verdict;
	}
	return UNDECIDED;
}

// What the rules say about a packet.
static __always_inline int judge_by_rules(struct packet *packet)
{
	const volatile __u32 *reference = &packet->reference;

	find_reference(packet);
	switch (*reference >> REFERENCE_KIND_SHIFT) {
	case REFERENCE_NONE:
		return UNDECIDED;
	case REFERENCE_CONDITION:
		return try_condition(*reference & REFERENCE_INDEX_MASK);
	case REFERENCE_CHAIN:
		return try_chain(*reference & REFERENCE_INDEX_MASK);
	}
	packet->rule = *reference & REFERENCE_INDEX_MASK;
	count_match(packet->rule, packet, false);
	return *reference >> REFERENCE_KIND_SHIFT == REFERENCE_DENY ? DROP_DENIED : PASS_ALLOWED;
}

static __always_inline int judge_by_policy(struct packet *packet)
{
	struct policy *policy = current_policy(packet);

	if (!policy)
		return PASS_IDLE;
	if (policy->drop_by_default)
		return DROP_DEFAULT;
	enum bucket_answer answer = take_token(packet, &policy->source_limit, NO_RULE);
	return answer == BUCKET_WITHIN ? PASS_DEFAULT : limit_verdict(answer);
}

// The verdict, and in packet->rule whose it is.
static __always_inline int judge(struct packet *packet)
{
	packet->rule = NO_RULE;
	read_generation(packet);
	struct policy *policy = current_policy(packet);

	if (!policy || !policy->enforcing)
		return PASS_IDLE;
	if (packet->kind == KIND_LINK)
		return PASS_LINK;
	if (packet->kind == KIND_MALFORMED)
		return DROP_MALFORMED;
	if (is_fail_safe(packet))
		return PASS_FAIL_SAFE;
	int verdict = judge_by_rules(packet);
	return verdict == UNDECIDED ? judge_by_policy(packet) : verdict;
}

// Offers a datagram that passed to the ingest.
__noinline int offer(struct xdp_md *context, struct packet *packet)
{
	struct ingest_destination destination = {};

	if (!packet)
		return XDP_PASS;
	destination.port = bpf_htons(packet->destination_port);
	if (packet->kind == KIND_IPV4) {
		destination.address[10] = destination.address[11] = 0xff;
		__builtin_memcpy(destination.address + 12, &packet->destination.ipv4, sizeof(packet->destination.ipv4));
	} else {
		__builtin_memcpy(destination.address, packet->destination.ipv6, sizeof(packet->destination.ipv6));
	}
	return ingest_redirect(context, &destination);
}

static __always_inline bool is_datagram(const struct packet *packet)
{
	return packet->kind >= KIND_IPV4 && packet->protocol == IPPROTO_UDP && packet->has_ports && packet->plain;
}

// "frags": a driver needs it to take the program on an MTU above one page.
SEC("xdp.frags")
int guard(struct xdp_md *context)
{
	struct packet *packet = new_packet();

	if (!packet)
		return XDP_PASS;
	packet->now = clock();
	parse(context, packet);
	int verdict = judge(packet);
	if (verdict < REDIRECT_INGEST && is_datagram(packet) && ingest_is_wanted() &&
	    offer(context, packet) == XDP_REDIRECT)
		verdict = REDIRECT_INGEST;
	count(verdict, packet);
	take_sample(verdict, packet);
	if (verdict == REDIRECT_INGEST)
		return XDP_REDIRECT;
	return verdict < DROP_MALFORMED ? XDP_PASS : XDP_DROP;
}

// Makes what user space shares part of the object's type information.
const struct shared_types {
	enum packet_kind kind;
	enum verdict verdict;
	enum protocol_class class;
	enum reference_kind reference;
	enum rule_action action;
	enum prefilter_action step;
	enum port_flag port;
	struct rule_counter counter;
	struct sample sample;
} *shared_types __attribute__((unused));

char LICENSE[] SEC("license") = "GPL";
