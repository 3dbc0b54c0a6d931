// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Token buckets per source, kept as the time at which the bucket will be full again (GCRA): one number, no division.

#pragma once

#define MAX_BUCKETS (1 << 17)
#define NO_RULE 0xffffffff

// The least recently seen source makes room for a new one.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct bucket_key);
	__type(value, struct bucket);
	__uint(max_entries, MAX_BUCKETS);
} buckets SEC(".maps");

enum bucket_answer {
	BUCKET_WITHIN,
	BUCKET_PACKETS_EXCEEDED,
	BUCKET_SYNS_EXCEEDED,
};

static __always_inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static __always_inline enum bucket_answer spend(struct bucket *bucket, const struct limit *limit,
						const struct packet *packet)
{
	if (limit->packet_interval &&
	    later(bucket->packets_full_at, packet->now) - packet->now > limit->packet_tolerance)
		return BUCKET_PACKETS_EXCEEDED;
	if (packet->syn && limit->syn_interval) {
		if (later(bucket->syns_full_at, packet->now) - packet->now > limit->syn_tolerance)
			return BUCKET_SYNS_EXCEEDED;
		bucket->syns_full_at = later(bucket->syns_full_at, packet->now) + limit->syn_interval;
	}
	// Two CPUs may lose each other's packet here: that lets one more pass, and spares every packet a locked write.
	if (limit->packet_interval)
		bucket->packets_full_at = later(bucket->packets_full_at, packet->now) + limit->packet_interval;
	return BUCKET_WITHIN;
}

// Not static, as look_reference_up.
__noinline int add_bucket(void)
{
	struct packet *packet = this_packet();

	return packet ? bpf_map_update_elem(&buckets, &packet->key.bucket, &packet->fresh_bucket, BPF_ANY) : 0;
}

static __always_inline enum bucket_answer take_token(struct packet *packet, const struct limit *limit, __u32 rule)
{
	struct bucket_key *key = &packet->key.bucket;

	if (!limit->packet_interval && !(packet->syn && limit->syn_interval))
		return BUCKET_WITHIN;
	key->source = packet->kind == KIND_IPV4 ? packet->source.ipv4 : packet->source.ipv6[0];
	key->rule = rule;
	key->family = packet->kind;
	struct bucket *bucket = bpf_map_lookup_elem(&buckets, key);
	if (bucket)
		return spend(bucket, limit, packet);
	packet->fresh_bucket.packets_full_at = 0;
	packet->fresh_bucket.syns_full_at = 0;
	enum bucket_answer answer = spend(&packet->fresh_bucket, limit, packet);
	add_bucket();
	return answer;
}
