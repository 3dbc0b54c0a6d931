package ring

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	slotBytes = 64
	slots     = 256
)

type descriptor struct {
	address uint64
	length  uint32
}

// kernel is the other side of a fill and an RX ring, written as net/xdp/xsk_queue.h describes it: it takes a free slot,
// copies a packet into it and publishes a batch of descriptors at once. It drops packets it has no slot or no room for.
type kernel struct {
	umem           []byte
	fill           Memory[uint64]
	rx             Memory[descriptor]
	sent, dropped  uint64
	fillConsumer   uint32
	rxProducer     uint32
	rxUnpublished  uint32
	sequenceNumber uint64
}

func (k *kernel) receive() {
	k.sequenceNumber++
	k.sent++
	mask := uint32(len(k.fill.Entries) - 1)
	if atomic.LoadUint32(k.fill.Producer) == k.fillConsumer {
		k.dropped++
		return
	}
	used := k.rxProducer + k.rxUnpublished - atomic.LoadUint32(k.rx.Consumer)
	if used == uint32(len(k.rx.Entries)) {
		k.dropped++
		return
	}
	address := k.fill.Entries[k.fillConsumer&mask]
	k.fillConsumer++
	atomic.StoreUint32(k.fill.Consumer, k.fillConsumer)
	length := 8 + uint32(k.sequenceNumber%(slotBytes-8))
	packet := k.umem[address:][:length]
	for i := range packet {
		packet[i] = byte(k.sequenceNumber)
	}
	binary.NativeEndian.PutUint64(packet, k.sequenceNumber)
	k.rx.Entries[(k.rxProducer+k.rxUnpublished)&uint32(len(k.rx.Entries)-1)] = descriptor{address, length}
	k.rxUnpublished++
}

func (k *kernel) flush() {
	k.rxProducer += k.rxUnpublished
	k.rxUnpublished = 0
	atomic.StoreUint32(k.rx.Producer, k.rxProducer)
}

// TestReceivePathAgainstAKernel stresses both rings with the memory they guard: under the race detector every access to
// a slot must be ordered by them.
func TestReceivePathAgainstAKernel(t *testing.T) {
	umem := make([]byte, slots*slotBytes)
	fillMemory, rxMemory := newMemory[uint64](128), newMemory[descriptor](64)
	model := &kernel{umem: umem, fill: fillMemory, rx: rxMemory, fillConsumer: *fillMemory.Consumer, rxProducer: *rxMemory.Producer}
	fill, rx := NewProducer(fillMemory), NewConsumer(rxMemory)
	var finished atomic.Bool
	var group sync.WaitGroup
	group.Go(func() {
		random := rand.New(rand.NewPCG(5, 6))
		for deadline := time.Now().Add(soak(t)); time.Now().Before(deadline); {
			for range random.IntN(32) {
				model.receive()
			}
			model.flush()
			runtime.Gosched()
		}
		finished.Store(true)
	})
	free := make([]uint64, slots)
	for i := range free {
		free[i] = uint64(i * slotBytes)
	}
	var received, last uint64
	for {
		ended := finished.Load() // before the look, so that nothing published is left
		free = refill(fill, free)
		available := rx.Available(16)
		for offset := range available {
			entry := rx.Get(offset)
			last = checkPacket(t, umem[entry.address:][:entry.length], last)
			free = append(free, entry.address)
		}
		rx.Release(available)
		received += uint64(available)
		if available == 0 {
			if ended {
				break
			}
			runtime.Gosched()
		}
	}
	group.Wait()
	if received+model.dropped != model.sent || received == 0 || model.dropped == 0 {
		t.Errorf("%d received and %d dropped of %d", received, model.dropped, model.sent)
	}
	inFill := *fillMemory.Producer - *fillMemory.Consumer
	if len(free)+int(inFill) != slots {
		t.Errorf("%d slots here and %d in the fill ring, want %d", len(free), inFill, slots)
	}
	t.Logf("%d received, %d dropped", received, model.dropped)
}

func refill(fill *Producer[uint64], free []uint64) []uint64 {
	count := fill.Free(uint32(min(len(free), 32)))
	for offset := range count {
		fill.Set(offset, free[len(free)-1-int(offset)])
	}
	fill.Submit(count)
	return free[:len(free)-int(count)]
}

// checkPacket finds a packet that was overwritten, reordered or seen twice.
func checkPacket(t *testing.T, packet []byte, last uint64) uint64 {
	sequence := binary.NativeEndian.Uint64(packet)
	if sequence <= last || len(packet) != 8+int(sequence%(slotBytes-8)) {
		t.Fatalf("packet %d of %d bytes after packet %d", sequence, len(packet), last)
	}
	for _, content := range packet[8:] {
		if content != byte(sequence) {
			t.Fatalf("packet %d was overwritten by %d", sequence, content)
		}
	}
	return sequence
}
