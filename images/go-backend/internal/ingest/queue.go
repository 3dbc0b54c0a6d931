package ingest

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/numa"
	"triptych.dev/go-backend/internal/slotpool"
)

// receiveBatch is how many datagrams a queue takes from the kernel at once.
const receiveBatch = 64

// ownList is the free list of the queue's own goroutine; the subscriptions' lists follow.
const ownList = 0

func listOf(subscription int) int { return ownList + 1 + subscription }

// queue is a receive queue: slots, what lies in them, and the goroutine that fills them.
type queue struct {
	name     string
	streams  []*stream // by number
	number   int       // among the AF_XDP queues, as the interface numbers them
	pool     *slotpool.Pool
	list     *slotpool.List
	records  []record // by slot
	accepted []slotpool.Slot
	cpus     []int // to run on; empty: any
	kernel   kernelCounters
	inUse    atomic.Int64 // slots that subscriptions hold
}

// kernelCounters are those of an AF_XDP socket.
type kernelCounters struct {
	ringFull, fillEmpty atomic.Uint64
}

// record describes the datagram in a slot; one cache line without pointers.
type record struct {
	received       int64 // nanoseconds since 1970
	sequence       uint64
	offset, length uint32
	source         endpoint
	stream         uint8 // its number
	// Guarded by the stream's mutex.
	delivered  bool
	references int32
	_          [10]byte
}

// reference is a subscription's hold on a datagram.
type reference struct {
	queue *queue
	slot  slotpool.Slot
}

func (r reference) record() *record {
	return &r.queue.records[r.slot]
}

func (r reference) stream() *stream {
	return r.queue.streams[r.record().stream]
}

func (r reference) payload() []byte {
	record := r.record()
	return r.queue.pool.Bytes(r.slot)[record.offset : record.offset+record.length]
}

// place is the NUMA node and the CPUs that a queue's memory and thread belong to.
type place struct {
	node int // slotpool.AnyNode where unknown
	cpus []int
}

// newQueue makes the slots: `own` for the queue's goroutine and the kernel, and the share of every subscription.
func newQueue(name string, own, slotBytes int, streams []*stream, options Options, at place) (*queue, error) {
	lists := listOf(options.Subscriptions)
	slots := own + options.Subscriptions*options.SubscriptionDatagrams + lists*slotpool.Stranded
	pool, err := slotpool.New(slotpool.Options{Slots: slots, SlotBytes: slotBytes, Lists: lists, Node: at.node})
	if err != nil {
		return nil, err
	}
	made := &queue{
		name: name, streams: streams, pool: pool, list: pool.List(ownList), records: make([]record, slots),
		accepted: make([]slotpool.Slot, 0, receiveBatch), cpus: at.cpus,
	}
	made.logMemory()
	return made, nil
}

// held tells whether a subscription has a slot. The caller holds the mutexes of all streams.
func (q *queue) held(slot slotpool.Slot) bool {
	return q.records[slot].references > 0
}

func (q *queue) logMemory() {
	size, reason := q.pool.PageBytes()
	level := slog.LevelInfo
	if reason != "" {
		level = slog.LevelWarn
	}
	slog.Log(context.Background(), level, "ingest memory", "queue", q.name, "slots", q.pool.Slots(), "slot_bytes", q.pool.SlotBytes(),
		"page_bytes", size, "numa_node", q.pool.Node(), "reason", reason)
}

// handOff passes a batch on, run by run of the same stream.
func (q *queue) handOff(batch []arrival) {
	for start := 0; start < len(batch); {
		end := start + 1
		for end < len(batch) && batch[end].stream == batch[start].stream {
			end++
		}
		batch[start].stream.arrive(q, batch[start:end])
		start = end
	}
}

// start runs the loop on a thread of its own, on the queue's CPUs. The thread ends with the loop.
func (q *queue) start(group *sync.WaitGroup, loop func()) {
	group.Go(func() {
		runtime.LockOSThread()
		if len(q.cpus) > 0 {
			if err := numa.PinThread(q.cpus); err != nil {
				slog.Warn("ingest thread", "queue", q.name, "error", err)
			}
		}
		loop()
	})
}

// event is an eventfd that ends the poll of every loop.
type event struct {
	fd int
}

func newEvent() (event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	return event{fd: fd}, err
}

func (e event) set() error {
	_, err := unix.Write(e.fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return err
}

func (e event) close() error {
	return unix.Close(e.fd)
}
