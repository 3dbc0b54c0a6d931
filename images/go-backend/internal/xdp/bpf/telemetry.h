// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Counters of all packets, and samples of them for user space.

#pragma once

#define SAMPLE_BUFFER (1 << 18) // bytes

enum verdict {
	PASS_IDLE,
	PASS_LINK,
	PASS_FAIL_SAFE,
	PASS_ALLOWED,
	PASS_WITHIN_LIMIT,
	PASS_DEFAULT,
	REDIRECT_INGEST,
	DROP_MALFORMED, // the first that drops
	DROP_DENIED,
	DROP_PACKET_LIMIT,
	DROP_SYN_LIMIT,
	DROP_DEFAULT,
	VERDICTS,
	UNDECIDED = VERDICTS,
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

// At [verdict * PROTOCOL_CLASSES + class].
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, VERDICTS * PROTOCOL_CLASSES);
} counters SEC(".maps");

struct sample {
	__u64 time; // CLOCK_MONOTONIC, nanoseconds
	__u64 source[2]; // IPv4 in the first four bytes
	__u64 destination[2];
	__u32 weight; // packets it stands for
	__u32 length;
	__u32 rule; // its counter, or NO_RULE
	__u16 source_port;
	__u16 destination_port;
	__u8 kind;
	__u8 verdict;
	__u8 protocol;
	__u8 unused[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SAMPLE_BUFFER);
} samples SEC(".maps");

struct sampler {
	__u64 next; // when the next sample may be taken
	__u64 skipped;
};

// For packets that pass, and for packets that drop: neither keeps the other from being seen.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct sampler);
	__uint(max_entries, 2);
} samplers SEC(".maps");

// Nanoseconds between two samples of one CPU and kind: the bound of what sampling costs.
volatile const __u64 sample_interval = 4000000;

static __always_inline void count(enum verdict verdict, struct packet *packet)
{
	struct counter *counter = at(&counters, verdict * PROTOCOL_CLASSES + packet->class, packet);

	if (counter) {
		counter->packets++;
		counter->bytes += packet->length;
	}
}

static __always_inline void take_sample(enum verdict verdict, struct packet *packet)
{
	struct sampler *sampler = at(&samplers, verdict >= DROP_MALFORMED, packet);

	if (!sampler)
		return;
	if (packet->now < sampler->next) {
		sampler->skipped++;
		return;
	}
	struct sample *sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample) {
		sampler->skipped++;
		return;
	}
	sample->time = bpf_ktime_get_ns();
	__builtin_memcpy(sample->source, &packet->source, sizeof(sample->source));
	__builtin_memcpy(sample->destination, &packet->destination, sizeof(sample->destination));
	sample->weight = sampler->skipped + 1;
	sample->length = packet->length;
	sample->rule = packet->rule;
	sample->source_port = packet->source_port;
	sample->destination_port = packet->destination_port;
	sample->kind = packet->kind;
	sample->verdict = verdict;
	sample->protocol = packet->protocol;
	__builtin_memset(sample->unused, 0, sizeof(sample->unused));
	bpf_ringbuf_submit(sample, 0);
	sampler->next = packet->now + sample_interval;
	sampler->skipped = 0;
}
