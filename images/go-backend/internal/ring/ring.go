// Package ring is the user's side of the kernel's AF_XDP rings: single producer, single consumer, in shared memory.
//
// An index counts entries since the ring was made and wraps at 2^32; an entry lies at index modulo size. The side that
// writes entries publishes them by storing the producer index (release), the side that reads them loads it first
// (acquire), and the other way round with the consumer index. Go's atomics are sequentially consistent, which is more.
package ring

import (
	"fmt"
	"sync/atomic"
)

// needWakeup is XDP_RING_NEED_WAKEUP: the kernel sleeps until a system call.
const needWakeup = 1

// Memory is what both sides share.
type Memory[T any] struct {
	Producer, Consumer, Flags *uint32
	Entries                   []T // as many as the ring's size, a power of two
}

func (m Memory[T]) check() {
	if size := len(m.Entries); size == 0 || size&(size-1) != 0 {
		panic(fmt.Sprintf("ring of %d entries: the size must be a power of two", size))
	}
}

// Producer writes entries. Only one goroutine may use it.
type Producer[T any] struct {
	shared Memory[T]
	mask   uint32
	next   uint32 // first entry not published
	limit  uint32 // first entry that may not be written, as far as we know
}

// NewProducer takes over from the indices that the memory holds. The ring must be empty.
func NewProducer[T any](shared Memory[T]) *Producer[T] {
	shared.check()
	size := uint32(len(shared.Entries))
	return &Producer[T]{
		shared: shared, mask: size - 1,
		next: atomic.LoadUint32(shared.Producer), limit: atomic.LoadUint32(shared.Consumer) + size,
	}
}

// Free tells how many entries may be written, looking for up to `wanted`.
func (p *Producer[T]) Free(wanted uint32) uint32 {
	if p.limit-p.next < wanted {
		p.limit = atomic.LoadUint32(p.shared.Consumer) + p.mask + 1
	}
	return min(p.limit-p.next, wanted)
}

// Set writes the entry that is `offset` after the first unpublished one; offset must be below what Free returned.
func (p *Producer[T]) Set(offset uint32, entry T) {
	p.shared.Entries[(p.next+offset)&p.mask] = entry
}

// Submit publishes the first `count` entries.
func (p *Producer[T]) Submit(count uint32) {
	p.next += count
	atomic.StoreUint32(p.shared.Producer, p.next)
}

// NeedsWakeup tells whether the kernel must be called to see new entries.
func (p *Producer[T]) NeedsWakeup() bool {
	return atomic.LoadUint32(p.shared.Flags)&needWakeup != 0
}

// Consumer reads entries. Only one goroutine may use it.
type Consumer[T any] struct {
	shared Memory[T]
	mask   uint32
	next   uint32 // first entry not released
	limit  uint32 // first entry not published, as far as we know
}

// NewConsumer takes over from the indices that the memory holds.
func NewConsumer[T any](shared Memory[T]) *Consumer[T] {
	shared.check()
	return &Consumer[T]{
		shared: shared, mask: uint32(len(shared.Entries)) - 1,
		next: atomic.LoadUint32(shared.Consumer), limit: atomic.LoadUint32(shared.Producer),
	}
}

// Available tells how many entries may be read, looking for up to `wanted`.
func (c *Consumer[T]) Available(wanted uint32) uint32 {
	if c.limit-c.next < wanted {
		c.limit = atomic.LoadUint32(c.shared.Producer)
	}
	return min(c.limit-c.next, wanted)
}

// Get reads the entry that is `offset` after the first unreleased one; offset must be below what Available returned.
func (c *Consumer[T]) Get(offset uint32) T {
	return c.shared.Entries[(c.next+offset)&c.mask]
}

// Release gives the first `count` entries back to the producer.
func (c *Consumer[T]) Release(count uint32) {
	c.next += count
	atomic.StoreUint32(c.shared.Consumer, c.next)
}
