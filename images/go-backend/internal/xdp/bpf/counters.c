// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Counts packets and bytes by protocol class on every CPU; passes everything but what the ingest takes.

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "ingest.h"

#define MAX_VLAN_TAGS 2
#define MAX_EXTENSION_HEADERS 8
#define FRAGMENT_OFFSET_MASK 0xfff8

enum protocol_class {
	PROTOCOL_TCP,
	PROTOCOL_UDP,
	PROTOCOL_ICMP,
	PROTOCOL_ICMPV6,
	PROTOCOL_ARP,
	PROTOCOL_OTHER_IP, // includes IP too broken or too short to tell
	PROTOCOL_OTHER,
	PROTOCOL_CLASSES,
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, enum protocol_class);
	__type(value, struct counter);
	__uint(max_entries, PROTOCOL_CLASSES);
} counters SEC(".maps");

struct vlan_header {
	__be16 tag;
	__be16 protocol;
};

// The two bytes every walked IPv6 extension header starts with.
struct extension_header {
	__u8 next;
	__u8 length;
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 identification;
};

// Copies a header out of the packet, false if it is cut short. Headers are read by offset, not by pointer: adding
// a variable to a packet pointer takes CAP_PERFMON, and a header may lie behind the packet's first page.
static __always_inline bool load(struct xdp_md *context, __u32 offset, void *header, __u32 length)
{
	return bpf_xdp_load_bytes(context, offset, header, length) == 0;
}

static __always_inline enum protocol_class transport_class(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return PROTOCOL_TCP;
	case IPPROTO_UDP:
		return PROTOCOL_UDP;
	default:
		return PROTOCOL_OTHER_IP;
	}
}

static __always_inline enum protocol_class ipv4_class(struct xdp_md *context, __u32 offset)
{
	struct iphdr header;

	if (!load(context, offset, &header, sizeof(header)) || header.version != 4 || header.ihl < 5)
		return PROTOCOL_OTHER_IP;
	if (header.protocol == IPPROTO_ICMP)
		return PROTOCOL_ICMP;
	return transport_class(header.protocol);
}

// Length of an extension header in bytes, 0 for a protocol that is none.
static __always_inline __u32 extension_length(__u8 protocol, __u8 length)
{
	switch (protocol) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
		return ((__u32)length + 1) * 8;
	case IPPROTO_AH: // counts in words of 4 bytes (RFC 4302)
		return ((__u32)length + 2) * 4;
	case IPPROTO_FRAGMENT:
		return sizeof(struct fragment_header);
	default:
		return 0;
	}
}

static __always_inline enum protocol_class ipv6_upper_class(__u8 protocol)
{
	if (protocol == IPPROTO_ICMPV6)
		return PROTOCOL_ICMPV6;
	return transport_class(protocol);
}

static __always_inline enum protocol_class ipv6_class(struct xdp_md *context, __u32 offset)
{
	struct ipv6hdr header;

	if (!load(context, offset, &header, sizeof(header)) || header.version != 6)
		return PROTOCOL_OTHER_IP;
	__u8 protocol = header.nexthdr;
	offset += sizeof(header);

	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		struct extension_header extension;
		struct fragment_header fragment;

		if (!extension_length(protocol, 0))
			break;
		if (!load(context, offset, &extension, sizeof(extension)))
			return PROTOCOL_OTHER_IP;
		if (protocol == IPPROTO_FRAGMENT) {
			if (!load(context, offset, &fragment, sizeof(fragment)))
				return PROTOCOL_OTHER_IP;
			// Behind the first fragment come data, not headers.
			if (fragment.offset & bpf_htons(FRAGMENT_OFFSET_MASK))
				return ipv6_upper_class(fragment.next);
		}
		offset += extension_length(protocol, extension.length);
		protocol = extension.next;
	}
	return ipv6_upper_class(protocol);
}

static __always_inline enum protocol_class packet_class(struct xdp_md *context)
{
	struct ethhdr ethernet;
	__u32 offset = sizeof(ethernet);

	if (!load(context, 0, &ethernet, sizeof(ethernet)))
		return PROTOCOL_OTHER;
	__be16 protocol = ethernet.h_proto;

	for (int i = 0; i < MAX_VLAN_TAGS; i++) {
		struct vlan_header vlan;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (!load(context, offset, &vlan, sizeof(vlan)))
			return PROTOCOL_OTHER;
		protocol = vlan.protocol;
		offset += sizeof(vlan);
	}

	switch (protocol) {
	case bpf_htons(ETH_P_IP):
		return ipv4_class(context, offset);
	case bpf_htons(ETH_P_IPV6):
		return ipv6_class(context, offset);
	case bpf_htons(ETH_P_ARP):
		return PROTOCOL_ARP;
	default:
		return PROTOCOL_OTHER;
	}
}

// "frags": a driver needs it to take the program on an MTU above one page.
SEC("xdp.frags")
int count_packets(struct xdp_md *context)
{
	__u32 class = packet_class(context);
	struct counter *counter = bpf_map_lookup_elem(&counters, &class);

	if (counter) {
		counter->packets++;
		counter->bytes += bpf_xdp_get_buff_len(context);
	}
	return ingest(context);
}

char LICENSE[] SEC("license") = "GPL";
