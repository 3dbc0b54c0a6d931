package slotpool

import (
	"sync"
	"testing"
)

type buffer [2048]byte

// BenchmarkGetPut compares one core's get and put with the pools that Go programs usually take.
func BenchmarkGetPut(b *testing.B) {
	b.Run("slotpool", func(b *testing.B) {
		list := newPool(b, Options{Slots: 4096, SlotBytes: 2048, Lists: 1, Node: AnyNode}).List(0)
		b.ReportAllocs()
		for b.Loop() {
			slot, _ := list.Get()
			list.Put(slot)
		}
	})
	b.Run("sync.Pool", func(b *testing.B) {
		pool := sync.Pool{New: func() any { return new(buffer) }}
		b.ReportAllocs()
		for b.Loop() {
			taken := pool.Get().(*buffer)
			pool.Put(taken)
		}
	})
	b.Run("channel", func(b *testing.B) {
		free := make(chan *buffer, 4096)
		for range cap(free) {
			free <- new(buffer)
		}
		b.ReportAllocs()
		for b.Loop() {
			free <- <-free
		}
	})
}

// BenchmarkHandOff moves slots from one list to another through the depot, a batch of 64 at a time.
func BenchmarkHandOff(b *testing.B) {
	pool := newPool(b, Options{Slots: 4096, SlotBytes: 2048, Lists: 2, Node: AnyNode})
	var taken [64]Slot
	b.ReportAllocs()
	for range b.N / len(taken) {
		for i := range taken {
			taken[i], _ = pool.List(0).Get()
		}
		for _, slot := range taken {
			pool.List(1).Put(slot)
		}
	}
}
