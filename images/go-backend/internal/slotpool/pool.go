// Package slotpool hands out fixed-size slots of one prefaulted mapping, for packet buffers: without allocation, by free
// lists that belong to one core each and trade batches through a common depot.
//
// Built with the tag `slotdebug` it panics on a double free, on use after free and on a list used by two goroutines.
package slotpool

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
)

// Slot is the number of a slot in its pool.
type Slot uint32

// batch is how many slots a list trades with the depot at once; a list keeps at most two batches.
const batch = 32

// Stranded is how many free slots a list may hold that the others can't get.
const Stranded = 2 * batch

// Options of a pool.
type Options struct {
	Slots     int // how many
	SlotBytes int // a power of two, 64 to 65536
	Lists     int // free lists, one for each goroutine that takes or gives back slots
	// Node is the NUMA node to take memory from, AnyNode for any.
	Node int
}

// AnyNode leaves the choice of the memory's NUMA node to the kernel.
const AnyNode = -1

// Pool is a mapping cut into slots.
type Pool struct {
	memory    memory
	slotBytes int
	shift     int // of slotBytes
	slots     int
	lists     []*List
	guard     guard

	mutex sync.Mutex
	depot []Slot
}

// New maps and prefaults the memory: in hugepages of 2 MiB where enough are free, otherwise in ordinary pages, which
// Memory then tells. Errors: options out of range, memory exhausted.
func New(options Options) (*Pool, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	mapped, err := mapMemory(options.Slots*options.SlotBytes, options.Node)
	if err != nil {
		return nil, err
	}
	pool := &Pool{
		memory: mapped, slotBytes: options.SlotBytes, shift: bits.TrailingZeros(uint(options.SlotBytes)), slots: options.Slots,
		depot: make([]Slot, options.Slots), lists: make([]*List, options.Lists),
	}
	for i := range pool.depot {
		pool.depot[i] = Slot(options.Slots - 1 - i) // the lowest leaves first
	}
	for i := range pool.lists {
		pool.lists[i] = &List{pool: pool, free: make([]Slot, 0, Stranded)}
	}
	pool.guard.init(pool)
	return pool, nil
}

func (o Options) check() error {
	switch {
	case o.SlotBytes < 64 || o.SlotBytes > 1<<16 || o.SlotBytes&(o.SlotBytes-1) != 0:
		return fmt.Errorf("slots of %d bytes: choose a power of two from 64 to 65536", o.SlotBytes)
	case o.Slots < 1 || o.Slots > 1<<24:
		return fmt.Errorf("%d slots: choose 1 to %d", o.Slots, 1<<24)
	case o.Lists < 1:
		return errors.New("a slot pool needs at least one list")
	}
	return nil
}

// Close unmaps the memory. Nobody may touch a slot afterwards.
func (p *Pool) Close() error {
	return p.memory.unmap()
}

// Slots is how many there are, SlotBytes how long each is.
func (p *Pool) Slots() int { return p.slots }

// SlotBytes is the length of a slot.
func (p *Pool) SlotBytes() int { return p.slotBytes }

// SlotAt is the slot that an offset into Memory lies in.
func (p *Pool) SlotAt(offset uint64) Slot { return Slot(offset >> p.shift) }

// Memory is the whole mapping, slot after slot; longer than the slots where pages are.
func (p *Pool) Memory() []byte { return p.memory.bytes }

// PageBytes is the page size obtained; reason tells why it is not 2 MiB, or why the pages are not bound to their node.
func (p *Pool) PageBytes() (size int, reason string) { return p.memory.pageBytes, p.memory.reason }

// Node is the NUMA node that the memory is bound to, AnyNode where it is not.
func (p *Pool) Node() int { return p.memory.node }

// List returns the free list with a number below Options.Lists. Only one goroutine at a time may use it.
func (p *Pool) List(number int) *List { return p.lists[number] }

// Bytes is the memory of a slot that is taken.
func (p *Pool) Bytes(slot Slot) []byte {
	p.guard.use(slot)
	start := int(slot) * p.slotBytes
	return p.memory.bytes[start : start+p.slotBytes : start+p.slotBytes]
}

// List is the free list of one core.
type List struct {
	pool   *Pool
	free   []Slot
	single single
	_      [64]byte // lists of two cores share no cache line
}

// Get takes a slot; false where neither the list nor the depot has one.
func (l *List) Get() (Slot, bool) {
	if debug {
		return l.debugGet()
	}
	return l.get()
}

func (l *List) get() (Slot, bool) {
	last := len(l.free) - 1
	if last < 0 {
		return l.refill()
	}
	slot := l.free[last]
	l.free = l.free[:last]
	return slot, true
}

// Put gives a slot back, taken from any list of the pool.
func (l *List) Put(slot Slot) {
	if debug {
		l.debugPut(slot)
		return
	}
	l.put(slot)
}

func (l *List) put(slot Slot) {
	if len(l.free) == Stranded {
		l.spill(batch)
	}
	l.free = append(l.free, slot)
}

// refill is kept out of get, so that get is inlined.
//
//go:noinline
func (l *List) refill() (Slot, bool) {
	pool := l.pool
	pool.mutex.Lock()
	defer pool.mutex.Unlock()
	rest := max(len(pool.depot)-batch, 0)
	l.free = append(l.free, pool.depot[rest:]...)
	pool.depot = pool.depot[:rest]
	last := len(l.free) - 1
	if last < 0 {
		return 0, false
	}
	slot := l.free[last]
	l.free = l.free[:last]
	return slot, true
}

//go:noinline
func (l *List) spill(count int) {
	pool := l.pool
	rest := len(l.free) - count
	pool.mutex.Lock()
	pool.depot = append(pool.depot, l.free[rest:]...)
	pool.mutex.Unlock()
	l.free = l.free[:rest]
}

// Flush gives all slots of the list to the depot, for others to take.
func (l *List) Flush() {
	l.spill(len(l.free))
}

// Reclaim gives every slot that is neither free nor held to the depot, after the owner of the others went away without
// giving them back, and returns how many. Nobody may use the pool meanwhile.
func (p *Pool) Reclaim(held func(Slot) bool) int {
	known := make([]bool, p.slots)
	for _, slot := range p.depot {
		known[slot] = true
	}
	for _, list := range p.lists {
		for _, slot := range list.free {
			known[slot] = true
		}
	}
	before := len(p.depot)
	for number, isKnown := range known {
		if slot := Slot(number); !isKnown && !held(slot) {
			p.depot = append(p.depot, slot)
			p.guard.free(p, slot)
		}
	}
	return len(p.depot) - before
}
