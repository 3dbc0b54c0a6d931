package guard

import (
	"cmp"
	"container/heap"
	"net/netip"
	"slices"
)

// trackedSources bounds the memory of the estimate: every source above one in so many packets is found.
const trackedSources = 1024

// topSources is a Space-Saving sketch (Metwally et al., 2005): a new source takes the place, and the count, of the one
// with fewest packets, and remembers that count as its possible error.
type topSources struct {
	limit int
	byKey map[netip.Prefix]*source
	queue sourceQueue // fewest packets first
}

type source struct {
	key      netip.Prefix
	packets  uint64
	dropped  uint64
	error    uint64 // packets may be too high by so many
	position int    // in the queue
}

func newTopSources(limit int) *topSources {
	return &topSources{limit: limit, byKey: make(map[netip.Prefix]*source, limit)}
}

func (t *topSources) add(key netip.Prefix, packets uint64, dropped bool) {
	found := t.byKey[key]
	if found == nil {
		found = t.newSource(key)
	}
	found.packets += packets
	if dropped {
		found.dropped += packets
	}
	heap.Fix(&t.queue, found.position)
}

func (t *topSources) newSource(key netip.Prefix) *source {
	if len(t.queue) < t.limit {
		added := &source{key: key}
		t.byKey[key] = added
		heap.Push(&t.queue, added)
		return added
	}
	least := t.queue[0]
	delete(t.byKey, least.key)
	least.key, least.error, least.dropped = key, least.packets, 0
	t.byKey[key] = least
	return least
}

// top are copies of the sources with most packets.
func (t *topSources) top(limit int) []*source {
	sorted := slices.Clone(t.queue)
	slices.SortFunc(sorted, func(a, b *source) int { return cmp.Compare(b.packets, a.packets) })
	result := make([]*source, 0, limit)
	for _, found := range sorted[:min(limit, len(sorted))] {
		same := *found
		result = append(result, &same)
	}
	return result
}

type sourceQueue []*source

func (q sourceQueue) Len() int           { return len(q) }
func (q sourceQueue) Less(i, j int) bool { return q[i].packets < q[j].packets }

func (q sourceQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].position, q[j].position = i, j
}

func (q *sourceQueue) Push(added any) {
	added.(*source).position = len(*q)
	*q = append(*q, added.(*source))
}

// Pop exists for heap.Interface; nothing is ever taken out.
func (q *sourceQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
