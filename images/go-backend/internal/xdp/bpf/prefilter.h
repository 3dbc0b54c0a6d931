// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Finds what applies to a source without a walk through the prefixes, nearly always (docs/decisions/0019). User space
// writes the half of a generation that is not in force.

#pragma once

#define PREFILTER_LENGTHS 32 // lengths of one family's prefixes, beside 0
#define PREFILTER_BITS 24
#define ANSWER_BUCKET_BITS 17
#define ANSWERS_PER_BUCKET 2 // which fill a cache line

// What a source is mixed with for a hash: odd, so that multiplying loses nothing; the upper bits depend on every bit below.
#define MIX 0x9e3779b97f4a7c15
#define MIX_LOWER 0xd6e8feb86659fd93

// The next step towards what applies to a source that is not remembered.
enum prefilter_action {
	PREFILTER_WALK, // the prefixes have more lengths than are kept here: walk them
	PREFILTER_PROBE, // a prefix of this length may hold the source
	PREFILTER_END, // none does, but for the one of length 0
};

struct prefilter_step {
	__u64 mask[2]; // as `source` of a packet
	__u64 salt;
	__u32 action;
	__u32 reference; // of PREFILTER_END: what the prefix of length 0 says
};

// For each parity of the generation and each family: the lengths in use, the longest first, and the end.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct prefilter_step);
	__uint(max_entries, 2 * 2 * (PREFILTER_LENGTHS + 1));
} prefilter_steps SEC(".maps");

// For each parity of the generation a bit per hash of the prefixes in force: clear where there is none for sure.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 2 << (PREFILTER_BITS - 6));
} prefilter SEC(".maps");

// What applies to sources that a prefix holds and no longer one.
struct prefilter_answer {
	__u64 source[2]; // masked
	__u64 salt; // of the prefix's step; 0: empty
	__u64 reference;
};

struct answer_bucket {
	struct prefilter_answer answers[ANSWERS_PER_BUCKET];
};

// For each parity of the generation the answers for the prefixes in force, as many as find room in the first or second
// bucket of their hash.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct answer_bucket);
	__uint(max_entries, 2 << ANSWER_BUCKET_BITS);
} prefilter_answers SEC(".maps");

static __always_inline __u64 prefix_hash(const struct prefilter_step *step, const struct packet *packet)
{
	__u64 masked = (packet->source.ipv6[0] & step->mask[0]) ^ (packet->source.ipv6[1] & step->mask[1]) * MIX_LOWER;

	return (masked ^ step->salt) * MIX;
}

// Whether a prefix of a step's length may hold the source of a packet.
static __always_inline bool may_hold(const struct prefilter_step *step, struct packet *packet)
{
	__u64 hash = prefix_hash(step, packet);
	__u32 half = packet->generation % 2 << (PREFILTER_BITS - 6);
	__u64 *word = at(&prefilter, half | hash >> (64 - PREFILTER_BITS + 6), packet);

	return !word || *word >> (hash >> (64 - PREFILTER_BITS) & 63) & 1;
}

static __always_inline bool is_answer(const volatile struct prefilter_answer *answer, const struct prefilter_step *step,
				      const struct packet *packet)
{
	return answer->salt == step->salt && answer->source[0] == (packet->source.ipv6[0] & step->mask[0]) &&
	       answer->source[1] == (packet->source.ipv6[1] & step->mask[1]);
}

// Looks for the answer of a step in a bucket, and puts it into packet->reference.
static __always_inline bool take_answer(const struct prefilter_step *step, __u32 bucket, struct packet *packet)
{
	__u32 half = packet->generation % 2 << ANSWER_BUCKET_BITS;
	volatile struct answer_bucket *found = at(&prefilter_answers, half | bucket, packet);

	if (!found)
		return false;
	// Both are read first: as in look_reference_up.
	__u32 first = found->answers[0].reference, second = found->answers[1].reference;
	if (is_answer(&found->answers[0], step, packet)) {
		packet->reference = first;
		return true;
	}
	packet->reference = second;
	return is_answer(&found->answers[1], step, packet);
}

// Whether the answer for the prefix of a step's length is there. Not static, as look_reference_up.
__noinline int find_answer(void)
{
	struct packet *packet = this_packet();

	if (!packet)
		return 0;
	struct prefilter_step *step = at(&prefilter_steps, packet->step, packet);
	if (!step)
		return 0;
	__u64 hash = prefix_hash(step, packet);
	hash = (hash ^ hash >> 32) * MIX_LOWER;
	__u32 first = hash >> (64 - ANSWER_BUCKET_BITS);
	__u32 second = (__u32)hash >> (32 - ANSWER_BUCKET_BITS);
	return take_answer(step, first, packet) || take_answer(step, second, packet);
}

// Whether the prefixes must be walked. If not, what applies to the source is in packet->reference: the longest prefix
// comes first, so nothing longer is left when one is found.
__noinline int must_walk(void)
{
	struct packet *packet = this_packet();

	if (!packet)
		return 0;
	volatile __u32 *index = &packet->step; // read anew, rather than kept on the stack
	*index = (packet->generation % 2 * 2 + (packet->kind == KIND_IPV6)) * (PREFILTER_LENGTHS + 1);
	_Pragma("unroll") // without CAP_PERFMON the verifier doubts that a loop ends: it follows mispredicted branches, too
	for (int i = 0; i <= PREFILTER_LENGTHS; i++) {
		struct prefilter_step *step = at(&prefilter_steps, *index, packet);
		if (!step || step->action == PREFILTER_WALK)
			return 1;
		if (step->action == PREFILTER_END) {
			packet->reference = step->reference;
			return 0;
		}
		if (may_hold(step, packet))
			return !find_answer();
		(*index)++;
	}
	return 1;
}
