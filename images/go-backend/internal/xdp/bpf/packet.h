// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Finds out what the guard must know about a packet. docs/operators/guard.md lists the rules that are applied here.

#pragma once

#define MAX_VLAN_TAGS 2
#define MAX_EXTENSION_HEADERS 8
#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001

#define TCP_HEADER 20
#define UDP_HEADER 8
#define ICMPV6_HEADER 4
#define TCP_FLAGS_AT 13
#define TCP_SYN 0x02
#define TCP_ACK 0x10

#define ND_FIRST 133 // router solicitation
#define ND_LAST 137 // redirect
#define ND_HOP_LIMIT 255

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

enum packet_kind {
	KIND_MALFORMED, // cut short, contradicting itself, or deeper than the guard looks
	KIND_LINK, // not IP
	KIND_IPV4,
	KIND_IPV6,
};

struct ipv4_prefix {
	__u32 length;
	__be32 address;
};

struct ipv6_prefix {
	__u32 length;
	__u32 address[4];
};

struct bucket_key {
	__u64 source; // IPv4 address, or the first 64 bits of an IPv6 address
	__u32 rule; // the rule's counter, NO_RULE for the policy's limit
	__u32 family; // enum packet_kind
};

struct bucket {
	__u64 packets_full_at;
	__u64 syns_full_at;
};

// What the guard knows about the packet it looks at, and the keys it makes from that. Kept in a map, not on the stack:
// without CAP_PERFMON the verifier puts a barrier behind nearly every write to the stack, which triples the time. The
// compiler must find no reason to keep more than a few values at once, or it uses the stack after all: so what is needed
// again later is read from here again, and keys come first, where they need no pointer of their own.
struct packet {
	union {
		__u32 index;
		struct ipv4_prefix ipv4;
		struct ipv6_prefix ipv6;
		struct bucket_key bucket;
	} key;
	struct bucket fresh_bucket;
	union {
		__be32 ipv4;
		__u64 ipv6[2]; // as it is in the packet
	} source, destination;
	__u64 now; // nanoseconds
	__u32 length;
	__u32 generation; // of the rules that judge it
	__u32 step; // of the prefilter
	__u32 reference; // what applies to its source
	__u32 rule; // the counter of the rule that decided, or NO_RULE
	__u16 source_port; // host byte order
	__u16 destination_port;
	__u8 kind;
	__u8 class;
	__u8 protocol;
	bool has_ports;
	bool syn; // TCP with SYN and without ACK
	bool acknowledges; // TCP with ACK
	bool neighbour_discovery;
	bool plain; // neither a fragment nor behind IPv6 extension headers
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct packet);
	__uint(max_entries, 1);
} current_packet SEC(".maps");

static const volatile __u32 first_index = 0; // a key that needs no stack

// The packet at hand. A function that looks something up fetches it anew: Linux before 6.2 takes no key out of memory
// that came in by an argument.
static __always_inline struct packet *this_packet(void)
{
	return bpf_map_lookup_elem(&current_packet, (const void *)&first_index);
}

static __always_inline struct packet *new_packet(void)
{
	struct packet *packet = this_packet();

	if (packet)
		__builtin_memset(&packet->source, 0, sizeof(*packet) - offsetof(struct packet, source));
	return packet;
}

// Looks up an entry of an array.
static __always_inline void *at(void *map, __u32 index, struct packet *packet)
{
	packet->key.index = index;
	return bpf_map_lookup_elem(map, &packet->key.index);
}

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

static __always_inline __u8 ip_class(__u8 protocol, __u8 icmp, __u8 icmp_class)
{
	if (protocol == IPPROTO_TCP)
		return PROTOCOL_TCP;
	if (protocol == IPPROTO_UDP)
		return PROTOCOL_UDP;
	return protocol == icmp ? icmp_class : PROTOCOL_OTHER_IP;
}

static __always_inline void set_tcp(struct packet *packet, __u8 flags)
{
	packet->syn = (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	packet->acknowledges = flags & TCP_ACK;
}

static __always_inline void set_ports(struct packet *packet, const __be16 ports[2])
{
	packet->source_port = bpf_ntohs(ports[0]);
	packet->destination_port = bpf_ntohs(ports[1]);
	packet->has_ports = true;
}

static __always_inline bool is_nd(__u8 type, __u8 hop_limit)
{
	return type >= ND_FIRST && type <= ND_LAST && hop_limit == ND_HOP_LIMIT;
}

// How much of a transport header must be there.
static __always_inline __u32 transport_header(__u8 protocol)
{
	if (protocol == IPPROTO_TCP)
		return TCP_HEADER;
	return protocol == IPPROTO_UDP ? UDP_HEADER : 0;
}

// Reads the transport header between `offset` and `end`; false if it is cut short, by a first fragment, too.
static __always_inline bool parse_transport(struct xdp_md *context, struct packet *packet, __u32 offset, __u32 end)
{
	__u32 needed = transport_header(packet->protocol);
	__be16 ports[2];
	__u8 flags;

	if (!needed)
		return true;
	if (offset + needed > end || !load(context, offset, ports, sizeof(ports)))
		return false;
	set_ports(packet, ports);
	if (packet->protocol == IPPROTO_UDP)
		return true;
	if (!load(context, offset + TCP_FLAGS_AT, &flags, sizeof(flags)))
		return false;
	set_tcp(packet, flags);
	return true;
}

static __always_inline bool parse_icmpv6(struct xdp_md *context, struct packet *packet, __u32 offset, __u32 end,
					 __u8 hop_limit, bool fragment)
{
	__u8 type;

	if (packet->protocol != IPPROTO_ICMPV6)
		return true;
	if (offset + ICMPV6_HEADER > end || !load(context, offset, &type, sizeof(type)))
		return false;
	packet->neighbour_discovery = !fragment && is_nd(type, hop_limit); // RFC 6980: never in fragments
	return true;
}

// Where the IP packet ends in the frame; 0 if it claims more than there is. A length of 0 is no claim: the kernel
// itself makes such packets out of many small ones (BIG TCP).
static __always_inline __u32 ip_end(const struct packet *packet, __u32 offset, __u32 claimed)
{
	if (!claimed)
		return packet->length;
	return offset + claimed > packet->length ? 0 : offset + claimed;
}

// Leaves KIND_MALFORMED where it returns early. Not static, as step_extension; it returns nothing of use.
__noinline int parse_ipv4(struct xdp_md *context, struct packet *packet, __u32 offset)
{
	struct iphdr header;

	if (!packet || !load(context, offset, &header, sizeof(header)) || header.version != 4 || header.ihl < 5)
		return 0;
	__u32 header_length = header.ihl * 4;
	__u32 total = bpf_ntohs(header.tot_len);
	__u32 end = ip_end(packet, offset, total);
	__u16 fragment = bpf_ntohs(header.frag_off);

	if (offset + header_length > end)
		return 0;
	packet->source.ipv4 = header.saddr;
	packet->destination.ipv4 = header.daddr;
	packet->protocol = header.protocol;
	packet->class = ip_class(header.protocol, IPPROTO_ICMP, PROTOCOL_ICMP);
	packet->plain = !(fragment & (IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS));
	if (!(fragment & IPV4_OFFSET_MASK) && !parse_transport(context, packet, offset + header_length, end))
		return 0;
	packet->kind = KIND_IPV4;
	return 0;
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

#define STEP_FRAGMENT (1ULL << 40)
#define STEP_LATER_FRAGMENT (1ULL << 41)

// Steps over one extension header. Returns the next header's offset, its protocol shifted by 32, and STEP_ flags; 0 if
// the header is cut short. Not static: so the verifier looks at it once and alone, not once for every way to get here.
__noinline __u64 step_extension(struct xdp_md *context, __u8 protocol, __u32 offset, __u32 end)
{
	struct extension_header extension;
	struct fragment_header fragment;
	__u64 flags = 0;

	if (!load(context, offset, &extension, sizeof(extension)))
		return 0;
	__u32 next = offset + extension_length(protocol, extension.length);
	if (next > end)
		return 0;
	if (protocol == IPPROTO_FRAGMENT) {
		if (!load(context, offset, &fragment, sizeof(fragment)))
			return 0;
		if (fragment.offset & bpf_htons(IPV6_OFFSET_MASK | IPV6_MORE_FRAGMENTS))
			flags = STEP_FRAGMENT;
		if (fragment.offset & bpf_htons(IPV6_OFFSET_MASK))
			flags |= STEP_LATER_FRAGMENT;
	}
	return next | (__u64)extension.next << 32 | flags;
}

// Walks the extension headers from a first one. Returns what step_extension does for the upper layer, 0 if a header is
// cut short or there are too many. Behind a later fragment's header come data, not headers.
static __always_inline __u64 walk_extensions(struct xdp_md *context, __u8 protocol, __u32 offset, __u32 end)
{
	__u64 step = offset | (__u64)protocol << 32, flags = 0;

	for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		if (flags & STEP_LATER_FRAGMENT || !extension_length(step >> 32, 0))
			return step | flags;
		if (i == MAX_EXTENSION_HEADERS)
			break;
		step = step_extension(context, step >> 32, step, end);
		if (!step)
			break;
		flags |= step & (STEP_FRAGMENT | STEP_LATER_FRAGMENT);
	}
	return 0;
}

// As parse_ipv4.
__noinline int parse_ipv6(struct xdp_md *context, struct packet *packet, __u32 offset)
{
	struct ipv6hdr header;

	if (!packet || !load(context, offset, &header, sizeof(header)) || header.version != 6)
		return 0;
	__u32 first = offset + sizeof(header);
	__u32 end = ip_end(packet, first, bpf_ntohs(header.payload_len));
	if (!end)
		return 0;
	__builtin_memcpy(&packet->source, &header.saddr, sizeof(header.saddr));
	__builtin_memcpy(&packet->destination, &header.daddr, sizeof(header.daddr));
	__u64 upper = walk_extensions(context, header.nexthdr, first, end);
	if (!upper)
		return 0;
	packet->protocol = upper >> 32;
	packet->class = ip_class(packet->protocol, IPPROTO_ICMPV6, PROTOCOL_ICMPV6);
	packet->plain = (__u32)upper == first;
	if (!(upper & STEP_LATER_FRAGMENT)) {
		if (!parse_transport(context, packet, upper, end) ||
		    !parse_icmpv6(context, packet, upper, end, header.hop_limit, upper & STEP_FRAGMENT))
			return 0;
	}
	packet->kind = KIND_IPV6;
	return 0;
}

// Any packet, as parse_ipv4.
__noinline int parse_any(struct xdp_md *context, struct packet *packet)
{
	struct ethhdr ethernet;
	__u32 offset = sizeof(ethernet);

	if (!packet)
		return 0;
	packet->class = PROTOCOL_OTHER;
	if (!load(context, 0, &ethernet, sizeof(ethernet)))
		return 0;
	__be16 protocol = ethernet.h_proto;

	for (int i = 0; i <= MAX_VLAN_TAGS; i++) {
		struct vlan_header vlan;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (i == MAX_VLAN_TAGS || !load(context, offset, &vlan, sizeof(vlan)))
			return 0;
		protocol = vlan.protocol;
		offset += sizeof(vlan);
	}
	if (protocol == bpf_htons(ETH_P_IP) || protocol == bpf_htons(ETH_P_IPV6)) {
		packet->class = PROTOCOL_OTHER_IP;
		if (protocol == bpf_htons(ETH_P_IP))
			parse_ipv4(context, packet, offset);
		else
			parse_ipv6(context, packet, offset);
		return 0;
	}
	packet->kind = KIND_LINK;
	if (protocol == bpf_htons(ETH_P_ARP))
		packet->class = PROTOCOL_ARP;
	return 0;
}

// The packet that nearly all are: IPv4 without tags, options or fragments, its transport header in the first page.
// Pointers with constant offsets need no CAP_PERFMON, and spare the calls. False: not such a packet, nothing changed.
static __always_inline bool parse_usual(struct xdp_md *context, struct packet *packet)
{
	struct ethhdr *ethernet = (void *)(long)context->data;
	struct iphdr *header = (void *)(ethernet + 1);
	struct tcphdr *tcp = (void *)(header + 1);

	if ((void *)(tcp + 1) > (void *)(long)context->data_end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return false;
	if (*(__u8 *)header != 0x45 || header->frag_off & bpf_htons(IPV4_OFFSET_MASK | IPV4_MORE_FRAGMENTS))
		return false;
	__u32 total = bpf_ntohs(header->tot_len);
	if (total < sizeof(*header) + transport_header(header->protocol) || sizeof(*ethernet) + total > packet->length)
		return false;
	packet->kind = KIND_IPV4;
	packet->source.ipv4 = header->saddr;
	packet->destination.ipv4 = header->daddr;
	packet->protocol = header->protocol;
	packet->class = ip_class(header->protocol, IPPROTO_ICMP, PROTOCOL_ICMP);
	packet->plain = true;
	if (packet->class == PROTOCOL_TCP || packet->class == PROTOCOL_UDP)
		set_ports(packet, (const __be16 *)tcp);
	if (packet->class == PROTOCOL_TCP)
		set_tcp(packet, ((__u8 *)tcp)[TCP_FLAGS_AT]);
	return true;
}

static __always_inline void parse(struct xdp_md *context, struct packet *packet)
{
	packet->length = bpf_xdp_get_buff_len(context);
	if (!parse_usual(context, packet))
		parse_any(context, packet);
}
