// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Redirects datagrams of the ingest ports to the AF_XDP socket of their receive queue.
// Include after the kernel's network headers; call on packets that the other rules let pass.

#pragma once

#define INGEST_STREAMS 64 // ports
#define INGEST_QUEUES 64
#define INGEST_DESTINATIONS 8192 // ports times addresses of the node
#define INGEST_VLAN_TAGS 2
#define INGEST_FRAGMENT_MASK 0x3fff // "more fragments" and the offset

// A port on one of the node's own addresses: what is routed on to a pod is not ours.
struct ingest_destination {
	__u8 address[16]; // IPv4 as ::ffff:a.b.c.d
	__be16 port;
	__u16 zero;
};

// Destination to stream number.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct ingest_destination);
	__type(value, __u32);
	__uint(max_entries, INGEST_DESTINATIONS);
} ingest_destinations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, INGEST_QUEUES);
} ingest_sockets SEC(".maps");

// Datagrams redirected so far, at [queue * INGEST_STREAMS + stream].
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, INGEST_QUEUES * INGEST_STREAMS);
} ingest_sequences SEC(".maps");

// Redirects a datagram for `destination`, or returns XDP_PASS where that is no ingest port or has no socket.
//
// The redirected frame's first 8 bytes, otherwise its Ethernet addresses, become its number in the stream of its
// queue, in the machine's byte order. So the reader learns exactly what the kernel dropped, port by port.
static __always_inline int ingest_redirect(struct xdp_md *context, const struct ingest_destination *destination)
{
	__u32 *stream = bpf_map_lookup_elem(&ingest_destinations, destination);
	if (!stream || *stream >= INGEST_STREAMS)
		return XDP_PASS;
	__u32 queue = context->rx_queue_index;
	__u32 index = queue * INGEST_STREAMS + *stream;
	__u64 *sequence = bpf_map_lookup_elem(&ingest_sequences, &index);
	__u64 *number = (void *)(long)context->data;

	if (!sequence || (void *)(number + 1) > (void *)(long)context->data_end)
		return XDP_PASS;
	int action = bpf_redirect_map(&ingest_sockets, queue, XDP_PASS);
	if (action == XDP_REDIRECT)
		*number = __sync_fetch_and_add(sequence, 1) + 1;
	return action;
}

static __always_inline bool ingest_ipv4(struct xdp_md *context, __u32 offset, struct ingest_destination *destination,
					__u32 *transport)
{
	struct iphdr header;

	if (bpf_xdp_load_bytes(context, offset, &header, sizeof(header)) || header.version != 4 || header.ihl < 5)
		return false;
	// The network stack puts fragments together; the ports' ordinary sockets get the result.
	if (header.protocol != IPPROTO_UDP || header.frag_off & bpf_htons(INGEST_FRAGMENT_MASK))
		return false;
	destination->address[10] = destination->address[11] = 0xff;
	__builtin_memcpy(destination->address + 12, &header.daddr, sizeof(header.daddr));
	*transport = offset + header.ihl * 4;
	return true;
}

static __always_inline bool ingest_ipv6(struct xdp_md *context, __u32 offset, struct ingest_destination *destination,
					__u32 *transport)
{
	struct ipv6hdr header;

	if (bpf_xdp_load_bytes(context, offset, &header, sizeof(header)) || header.version != 6 ||
	    header.nexthdr != IPPROTO_UDP)
		return false;
	__builtin_memcpy(destination->address, &header.daddr, sizeof(header.daddr));
	*transport = offset + sizeof(header);
	return true;
}

// Finds where an unfragmented UDP datagram goes; false for every other packet.
static __always_inline bool ingest_parse(struct xdp_md *context, struct ingest_destination *destination)
{
	struct ethhdr ethernet;
	struct udphdr udp;
	__u32 offset = sizeof(ethernet), transport;

	if (bpf_xdp_load_bytes(context, 0, &ethernet, sizeof(ethernet)))
		return false;
	__be16 protocol = ethernet.h_proto;

	for (int i = 0; i < INGEST_VLAN_TAGS; i++) {
		__be16 tag[2];

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (bpf_xdp_load_bytes(context, offset, tag, sizeof(tag)))
			return false;
		protocol = tag[1];
		offset += sizeof(tag);
	}
	if (protocol == bpf_htons(ETH_P_IP)) {
		if (!ingest_ipv4(context, offset, destination, &transport))
			return false;
	} else if (protocol != bpf_htons(ETH_P_IPV6) || !ingest_ipv6(context, offset, destination, &transport)) {
		return false;
	}
	if (bpf_xdp_load_bytes(context, transport, &udp, sizeof(udp)))
		return false;
	destination->port = udp.dest;
	return true;
}

// Parses and redirects, for a program that has not parsed the packet itself.
static __always_inline int ingest(struct xdp_md *context)
{
	struct ingest_destination destination = {};

	return ingest_parse(context, &destination) ? ingest_redirect(context, &destination) : XDP_PASS;
}
