package ring

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// newMemory starts just before the indices wrap.
func newMemory[T any](size int) Memory[T] {
	start := ^uint32(0) - 2
	producer, consumer, flags := start, start, uint32(0)
	return Memory[T]{Producer: &producer, Consumer: &consumer, Flags: &flags, Entries: make([]T, size)}
}

// TestAgainstAQueue runs random steps on a ring and on a slice, which must agree after each.
func TestAgainstAQueue(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, size := range []int{1, 2, 8, 64} {
		memory := newMemory[int](size)
		producer, consumer := NewProducer(memory), NewConsumer(memory)
		var queue []int
		for next := 0; next < 20_000; {
			wanted := uint32(random.IntN(size + 3))
			if random.IntN(2) == 0 {
				free := producer.Free(wanted)
				if int(free) != min(size-len(queue), int(wanted)) {
					t.Fatalf("%d free of %d wanted, %d of %d used", free, wanted, len(queue), size)
				}
				for offset := range free {
					producer.Set(offset, next)
					queue = append(queue, next)
					next++
				}
				producer.Submit(free)
				continue
			}
			available := consumer.Available(wanted)
			if int(available) != min(len(queue), int(wanted)) {
				t.Fatalf("%d available of %d wanted, %d used", available, wanted, len(queue))
			}
			for offset := range available {
				if got := consumer.Get(offset); got != queue[offset] {
					t.Fatalf("entry %d, want %d", got, queue[offset])
				}
			}
			consumer.Release(available)
			queue = queue[available:]
		}
	}
}

func TestUnpublishedEntriesStayHidden(t *testing.T) {
	memory := newMemory[int](4)
	producer, consumer := NewProducer(memory), NewConsumer(memory)
	producer.Set(0, 7)
	if available := consumer.Available(1); available != 0 {
		t.Errorf("%d entries before Submit", available)
	}
	producer.Submit(1)
	if available := consumer.Available(1); available != 1 || consumer.Get(0) != 7 {
		t.Errorf("%d entries after Submit", available)
	}
	if free := producer.Free(4); free != 3 {
		t.Errorf("%d free before Release", free)
	}
	consumer.Release(1)
	if free := producer.Free(4); free != 4 {
		t.Errorf("%d free after Release", free)
	}
}

func TestNeedsWakeup(t *testing.T) {
	memory := newMemory[int](4)
	producer := NewProducer(memory)
	for _, flags := range []uint32{0, 1, 2, 3} {
		*memory.Flags = flags
		if got := producer.NeedsWakeup(); got != (flags&1 == 1) {
			t.Errorf("flags %d: %t", flags, got)
		}
	}
}

func TestSizeMustBeAPowerOfTwo(t *testing.T) {
	for _, size := range []int{0, 3, 100} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("size %d is accepted", size)
				}
			}()
			NewProducer(newMemory[int](size))
		}()
	}
}

// soak is how long the stress tests run: SOAK, or half a second.
func soak(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SOAK")
	if text == "" {
		return 500 * time.Millisecond
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("SOAK: %v", err)
	}
	return duration
}
