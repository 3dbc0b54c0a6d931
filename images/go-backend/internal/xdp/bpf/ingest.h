// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Redirects datagrams of the ingest ports to the AF_XDP socket of their receive queue.
// Include after the kernel's network headers; call on packets that the other rules let pass.

#pragma once

#define INGEST_STREAMS 64 // ports
#define INGEST_QUEUES 64
#define INGEST_DESTINATIONS 8192 // ports times addresses of the node

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

// What user space says about the ingest as a whole. Not a variable: both variants of the program share maps only.
struct ingest_state {
	__u32 wanted;
	__u32 version; // of `ingest_destinations`, at least 1; another one after every change
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct ingest_state);
	__uint(max_entries, 1);
} ingest_states SEC(".maps");

// The last answer of `ingest_destinations`: mostly the next datagram goes to the same place.
struct ingest_answer {
	struct ingest_destination destination;
	__u32 version; // for which it holds
	__u32 stream; // or INGEST_STREAMS
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct ingest_answer);
	__uint(max_entries, 1);
} ingest_answers SEC(".maps");

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

static __always_inline bool ingest_is_wanted(void)
{
	__u32 first = 0;
	struct ingest_state *state = bpf_map_lookup_elem(&ingest_states, &first);

	return state && state->wanted;
}

static __always_inline bool ingest_same(const struct ingest_destination *one, const struct ingest_destination *other)
{
	const __u32 *first = (const void *)one, *second = (const void *)other;

	return first[0] == second[0] && first[1] == second[1] && first[2] == second[2] && first[3] == second[3] &&
	       first[4] == second[4];
}

// The number of the stream for a destination, or INGEST_STREAMS. The version is read before the look-up: an answer that
// a change overtakes is of the version before it.
static __always_inline __u32 ingest_stream(const struct ingest_destination *destination)
{
	__u32 first = 0;
	struct ingest_state *state = bpf_map_lookup_elem(&ingest_states, &first);
	struct ingest_answer *answer = bpf_map_lookup_elem(&ingest_answers, &first);

	if (!state || !answer)
		return INGEST_STREAMS;
	__u32 version = *(volatile __u32 *)&state->version;
	if (answer->version == version && ingest_same(&answer->destination, destination))
		return answer->stream;
	__u32 *stream = bpf_map_lookup_elem(&ingest_destinations, destination);
	answer->destination = *destination;
	answer->version = version;
	answer->stream = stream ? *stream : INGEST_STREAMS;
	return answer->stream;
}

// Redirects a datagram for `destination`, or returns XDP_PASS where that is no ingest port or has no socket.
//
// The redirected frame's first 8 bytes, otherwise its Ethernet addresses, become its number in the stream of its
// queue, in the machine's byte order. So the reader learns exactly what the kernel dropped, port by port.
static __always_inline int ingest_redirect(struct xdp_md *context, const struct ingest_destination *destination)
{
	__u32 stream = ingest_stream(destination);
	if (stream >= INGEST_STREAMS)
		return XDP_PASS;
	__u32 queue = context->rx_queue_index;
	__u32 index = queue * INGEST_STREAMS + stream;
	__u64 *sequence = bpf_map_lookup_elem(&ingest_sequences, &index);
	__u64 *number = (void *)(long)context->data;

	if (!sequence || (void *)(number + 1) > (void *)(long)context->data_end)
		return XDP_PASS;
	int action = bpf_redirect_map(&ingest_sockets, queue, XDP_PASS);
	if (action == XDP_REDIRECT)
		*number = __sync_fetch_and_add(sequence, 1) + 1;
	return action;
}
