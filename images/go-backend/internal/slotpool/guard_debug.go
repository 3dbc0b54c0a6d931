//go:build slotdebug

package slotpool

import (
	"bytes"
	"fmt"
	"sync/atomic"
)

const debug = true

const poison = 0xdb

// guard knows which slots are taken; the bytes of a free one are poison.
type guard struct {
	taken []atomic.Bool
}

func (g *guard) init(pool *Pool) {
	g.taken = make([]atomic.Bool, pool.slots)
	for i := range pool.memory.bytes {
		pool.memory.bytes[i] = poison
	}
}

func (g *guard) use(slot Slot) {
	if !g.taken[slot].Load() {
		panic(fmt.Sprintf("slotpool: use of slot %d, which is free", slot))
	}
}

func (g *guard) free(pool *Pool, slot Slot) {
	content := pool.memory.bytes[int(slot)*pool.slotBytes:][:pool.slotBytes]
	if !g.taken[slot].Swap(false) {
		panic(fmt.Sprintf("slotpool: slot %d was freed twice", slot))
	}
	for i := range content {
		content[i] = poison
	}
}

// single finds two goroutines in one list.
type single struct {
	busy atomic.Bool
}

func (s *single) enter() {
	if !s.busy.CompareAndSwap(false, true) {
		panic("slotpool: a list is used by two goroutines")
	}
}

func (l *List) debugGet() (Slot, bool) {
	l.single.enter()
	defer l.single.busy.Store(false)
	slot, ok := l.get()
	if !ok {
		return slot, false
	}
	if l.pool.guard.taken[slot].Swap(true) {
		panic(fmt.Sprintf("slotpool: slot %d was handed out twice", slot))
	}
	content := l.pool.Bytes(slot)
	if clean := bytes.Count(content, []byte{poison}); clean != len(content) {
		panic(fmt.Sprintf("slotpool: slot %d was written after it was freed", slot))
	}
	return slot, true
}

func (l *List) debugPut(slot Slot) {
	l.single.enter()
	defer l.single.busy.Store(false)
	l.pool.guard.free(l.pool, slot)
	l.put(slot)
}
