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
#include "rules.h"
#include "bucket.h"
#include "telemetry.h"

#define FIRST_UNPRIVILEGED_PORT 1024
#define DECIDED 0x80 // tells rule 0 and verdict 0 from no judgement
#define VERDICT_MASK 0x7f

// What always passes, by port.
enum port_flag {
	PORT_TCP = 1, // to this port
	PORT_UDP = 2,
	PORT_TCP_REPLY = 4, // from this port to an unprivileged one, in a connection that exists
	PORT_UDP_REPLY = 8,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u8);
	__uint(max_entries, 1 << 16);
} fail_safe_ports SEC(".maps");

// Tests stop the clock; in the node's program the verifier removes these lines.
volatile const bool clock_stopped = false;
__u64 stopped_at = 0;

// A judgement is a verdict and the counter of the rule that made it, or NO_RULE.
static __always_inline __u64 decided(enum verdict verdict, __u32 rule)
{
	return (__u64)rule << 32 | DECIDED | verdict;
}

static __always_inline enum verdict verdict_of(__u64 judgement)
{
	return judgement & VERDICT_MASK;
}

static __always_inline __u64 clock(void)
{
	// The resolution of the timer tick is enough: every burst is worth more than one (internal/guard).
	return clock_stopped ? stopped_at : bpf_ktime_get_coarse_ns();
}

static __always_inline __u8 port_flags(__u16 port, struct packet *packet)
{
	__u8 *flags = at(&fail_safe_ports, port, packet);

	return flags ? *flags : 0;
}

// DHCP servers and clients, on both their ports.
static __always_inline bool is_dhcp(const struct packet *packet)
{
	__u16 first = packet->kind == KIND_IPV4 ? 67 : 546;

	return packet->protocol == IPPROTO_UDP && (__u16)(packet->source_port - first) <= 1 &&
	       (__u16)(packet->destination_port - first) <= 1;
}

__noinline int is_fail_safe(void)
{
	struct packet *packet = this_packet();

	if (!packet)
		return false;
	if (packet->neighbour_discovery)
		return true;
	if (!packet->has_ports)
		return false;
	__u8 wanted = packet->protocol == IPPROTO_TCP ? PORT_TCP : PORT_UDP;
	if (port_flags(packet->destination_port, packet) & wanted)
		return true;
	if (is_dhcp(packet))
		return true;
	if (packet->destination_port < FIRST_UNPRIVILEGED_PORT)
		return false;
	if (packet->protocol == IPPROTO_TCP)
		return packet->acknowledges && port_flags(packet->source_port, packet) & PORT_TCP_REPLY;
	return !!(port_flags(packet->source_port, packet) & PORT_UDP_REPLY);
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

// Tries one condition. Returns a judgement as made by `decided`, or 0 if the condition does not decide. Not static, as
// parse_any.
__noinline __u64 try_condition(__u32 index)
{
	struct packet *packet = this_packet();
	enum bucket_answer answer = BUCKET_WITHIN;

	if (!packet)
		return 0;
	struct condition *condition = at(&conditions, index, packet);
	if (!condition || !matches(condition, packet))
		return 0;
	if (condition->action == ACTION_RATE)
		answer = take_token(packet, &condition->limit, condition->counter);
	count_match(condition->counter, packet, answer != BUCKET_WITHIN);
	if (condition->count_only)
		return 0;
	if (condition->action == ACTION_ALLOW)
		return decided(PASS_ALLOWED, condition->counter);
	if (condition->action == ACTION_DENY)
		return decided(DROP_DENIED, condition->counter);
	return decided(limit_verdict(answer), condition->counter);
}

__noinline __u64 try_chain(__u32 index)
{
	struct packet *packet = this_packet();

	if (!packet)
		return 0;
	struct chain *chain = at(&chains, index, packet);
	if (!chain)
		return 0;
	_Pragma("unroll") // an index into a map's value would take CAP_PERFMON
	for (int i = 0; i < CHAIN_LENGTH; i++) {
		__u32 condition = chain->conditions[i];
		if (!condition)
			return 0;
		__u64 judgement = try_condition(condition - 1);
		if (judgement)
			return judgement;
	}
	return 0;
}

// What the rules say about a packet; 0 if none decides.
__noinline __u64 judge_by_rules(__u32 current)
{
	struct packet *packet = this_packet();

	if (!packet)
		return 0;
	__u32 reference = find_reference(packet, current);
	__u32 kind = reference >> REFERENCE_KIND_SHIFT;
	__u32 index = reference & REFERENCE_INDEX_MASK;

	if (kind == REFERENCE_CONDITION)
		return try_condition(index);
	if (kind == REFERENCE_CHAIN)
		return try_chain(index);
	if (kind == REFERENCE_NONE)
		return 0;
	count_match(index, packet, false);
	return decided(kind == REFERENCE_DENY ? DROP_DENIED : PASS_ALLOWED, index);
}

// Not static: a function of its own has registers enough to keep off the stack.
__noinline __u64 judge(void)
{
	struct packet *packet = this_packet();

	if (!packet)
		return 0;
	__u32 *counted = at(&generation, 0, packet);
	__u32 current = counted ? *(volatile __u32 *)counted : 0;
	struct policy *policy = at(&policies, current % 2, packet);

	if (!policy || !policy->enforcing)
		return decided(PASS_IDLE, NO_RULE);
	if (packet->kind == KIND_LINK)
		return decided(PASS_LINK, NO_RULE);
	if (packet->kind == KIND_MALFORMED)
		return decided(DROP_MALFORMED, NO_RULE);
	if (is_fail_safe())
		return decided(PASS_FAIL_SAFE, NO_RULE);
	__u64 judgement = judge_by_rules(current);
	if (judgement)
		return judgement;
	if (policy->drop_by_default)
		return decided(DROP_DEFAULT, NO_RULE);
	enum bucket_answer answer = take_token(packet, &policy->source_limit, NO_RULE);
	return decided(answer == BUCKET_WITHIN ? PASS_DEFAULT : limit_verdict(answer), NO_RULE);
}

// Whether there is an ingest at all.
volatile bool ingest_wanted = false;

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
	__u64 judgement = judge();
	enum verdict verdict = verdict_of(judgement);
	if (verdict < REDIRECT_INGEST && ingest_wanted && is_datagram(packet) &&
	    offer(context, packet) == XDP_REDIRECT)
		verdict = REDIRECT_INGEST;
	count(verdict, packet);
	take_sample(verdict, packet, judgement >> 32);
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
	enum port_flag port;
	struct rule_counter counter;
	struct sample sample;
} *shared_types __attribute__((unused));

char LICENSE[] SEC("license") = "GPL";
