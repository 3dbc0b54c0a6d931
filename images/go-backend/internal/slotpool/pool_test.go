package slotpool

import (
	"os"
	"strings"
	"sync"
	"testing"

	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/numa"
)

func newPool(t testing.TB, options Options) *Pool {
	t.Helper()
	pool, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}

func TestEverySlotIsHandedOutOnce(t *testing.T) {
	const slots = 1000
	pool := newPool(t, Options{Slots: slots, SlotBytes: 2048, Lists: 2, Node: AnyNode})
	for range 3 {
		seen := make(map[Slot]bool)
		for slot, ok := pool.List(0).Get(); ok; slot, ok = pool.List(0).Get() {
			if seen[slot] || int(slot) >= slots {
				t.Fatalf("slot %d, a second time: %t", slot, seen[slot])
			}
			seen[slot] = true
			content := pool.Bytes(slot)
			content[0], content[len(content)-1] = byte(slot), byte(slot>>8)
		}
		if len(seen) != slots {
			t.Fatalf("%d slots, want %d", len(seen), slots)
		}
		for slot := range seen {
			if content := pool.Bytes(slot); content[0] != byte(slot) || content[2047] != byte(slot>>8) || len(content) != cap(content) {
				t.Fatalf("slot %d overlaps another", slot)
			}
			pool.List(1).Put(slot)
		}
		pool.List(1).Flush()
	}
}

// TestSlotsWanderBetweenCores takes in some goroutines and gives back in others, as receive and send threads do.
func TestSlotsWanderBetweenCores(t *testing.T) {
	const cores, rounds = 4, 20_000
	pool := newPool(t, Options{Slots: 512, SlotBytes: 64, Lists: 2 * cores, Node: AnyNode})
	var group sync.WaitGroup
	for core := range cores {
		handed := make(chan Slot, 64)
		group.Go(func() {
			defer close(handed)
			for round := 0; round < rounds; {
				if slot, ok := pool.List(core).Get(); ok {
					pool.Bytes(slot)[core]++
					handed <- slot
					round++
				}
			}
			pool.List(core).Flush()
		})
		group.Go(func() {
			for slot := range handed {
				pool.Bytes(slot)[core]++
				pool.List(cores + core).Put(slot)
			}
			pool.List(cores + core).Flush()
		})
	}
	group.Wait()
	count := 0
	for _, ok := pool.List(0).Get(); ok; _, ok = pool.List(0).Get() {
		count++
	}
	if count != 512 {
		t.Errorf("%d slots at the end, want 512", count)
	}
}

// TestReclaim has an owner vanish with its slots.
func TestReclaim(t *testing.T) {
	pool := newPool(t, Options{Slots: 200, SlotBytes: 64, Lists: 2, Node: AnyNode})
	held := map[Slot]bool{}
	for number := range 150 {
		slot, _ := pool.List(number % 2).Get()
		held[slot] = number < 10
	}
	if count := pool.Reclaim(func(slot Slot) bool { return held[slot] }); count != 140 {
		t.Errorf("%d slots were reclaimed", count)
	}
	for number := range 2 {
		pool.List(number).Flush()
	}
	free := 0
	for slot, ok := pool.List(0).Get(); ok; slot, ok = pool.List(0).Get() {
		if free++; held[slot] {
			t.Fatalf("slot %d is held and handed out", slot)
		}
	}
	if free != 190 {
		t.Errorf("%d slots are free", free)
	}
}

// TestMemoryIsReported looks at the machine before and after: other tests take and return hugepages, too.
func TestMemoryIsReported(t *testing.T) {
	_, before := hugepages(t)
	pool := newPool(t, Options{Slots: 8, SlotBytes: 2048, Lists: 1, Node: AnyNode})
	size, reason := pool.PageBytes()
	_, after := hugepages(t)
	isHuge := size == HugepageBytes
	if isHuge != (reason == "") || !isHuge && before > 0 && after > 0 {
		t.Errorf("%d and %d free hugepages, page size %d, reason %q", before, after, size, reason)
	}
}

// TestPoolLiesOnItsNode does so on every node that this machine has; ci/numa_guest.py runs it on a machine with two.
func TestPoolLiesOnItsNode(t *testing.T) {
	nodes, err := host.New().NumaNodes()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range nodes {
		pool := newPool(t, Options{Slots: 4096, SlotBytes: 2048, Lists: 1, Node: int(want.ID)})
		size, reason := pool.PageBytes()
		if pool.Node() != int(want.ID) {
			t.Fatalf("node %d, want %d: %s", pool.Node(), want.ID, reason)
		}
		found, err := numa.NodesOf(pool.Memory(), size)
		if err != nil {
			t.Fatal(err)
		}
		for page, node := range found {
			if node != int(want.ID) {
				t.Fatalf("page %d of %d bytes is on node %d, want %d", page, size, node, want.ID)
			}
		}
	}
}

// TestShortageOfHugepages wants more than there are: how many are free, other tests change.
func TestShortageOfHugepages(t *testing.T) {
	total, _ := hugepages(t)
	slots := (total + 1) * HugepageBytes >> 16
	pool := newPool(t, Options{Slots: slots, SlotBytes: 1 << 16, Lists: 1, Node: AnyNode})
	size, reason := pool.PageBytes()
	if size != os.Getpagesize() || !strings.Contains(reason, "set vm.nr_hugepages") {
		t.Errorf("page size %d, reason %q", size, reason)
	}
}

func TestAbsentNode(t *testing.T) {
	pool := newPool(t, Options{Slots: 8, SlotBytes: 2048, Lists: 1, Node: 999})
	if _, reason := pool.PageBytes(); pool.Node() != AnyNode || !strings.Contains(reason, "NUMA node 999") {
		t.Errorf("node %d, reason %q", pool.Node(), reason)
	}
}

func hugepages(t *testing.T) (total, free int) {
	t.Helper()
	pools, err := host.New().HugepagePools()
	if err != nil {
		t.Fatal(err)
	}
	for _, pool := range pools {
		if pool.PageSizeBytes == HugepageBytes {
			return int(pool.TotalPages), int(pool.FreePages)
		}
	}
	return 0, 0
}

func TestOptionsOutOfRange(t *testing.T) {
	for want, options := range map[string]Options{
		"slots of 2000 bytes": {Slots: 1, SlotBytes: 2000, Lists: 1},
		"slots of 32 bytes":   {Slots: 1, SlotBytes: 32, Lists: 1},
		"0 slots":             {SlotBytes: 2048, Lists: 1},
		"at least one list":   {Slots: 1, SlotBytes: 2048},
	} {
		if _, err := New(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestNoAllocation(t *testing.T) {
	pool := newPool(t, Options{Slots: 200 + 2*Stranded, SlotBytes: 2048, Lists: 2, Node: AnyNode})
	slots := make([]Slot, 0, 200)
	allocations := testing.AllocsPerRun(100, func() {
		for range 200 {
			slot, ok := pool.List(0).Get()
			if !ok {
				t.Fatal("slots are stranded")
			}
			slots = append(slots, slot)
		}
		for _, slot := range slots {
			pool.List(1).Put(slot)
		}
		slots = slots[:0]
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
