package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/slotpool"
	"triptych.dev/go-backend/internal/xdp"
	"triptych.dev/go-backend/internal/xsk"
)

const (
	ringSize   = 2048
	maxBatches = 2 * ringSize / receiveBatch
	// nap is how long a busy queue sleeps when it has emptied its ring: a small part of the time in which that fills.
	nap = 50 * time.Microsecond
	// framesOfMTU is what an Ethernet frame has beyond the MTU: addresses, type and two VLAN tags.
	framesOfMTU = 14 + 2*4
)

// afxdp receives from one queue of the interface.
type afxdp struct {
	*queue
	ports     *portTable
	sequences sequences
	verifyUDP bool
	arrivals  []arrival
	parsed    datagram // of the frame at hand
	refills   []slotpool.Slot
	debt      int      // slots that the kernel lacks
	given     []uint64 // by the program, at the last tick
	quiet     bool     // since the last tick
	used      bool     // had a socket before

	closing sync.Mutex // guards what follows against a reader of statistics
	socket  *xsk.Socket
	before  unix.XDPStatistics // of earlier sockets
}

// portTable finds a stream by its port.
type portTable [1 << 16]*stream

// sequences read the numbers that the program gives.
type sequences interface {
	Lookup(key, value any) error
}

// slotBytes is the smallest slot that holds every frame of an interface, or an error where none does.
func slotBytes(mtu int) (int, error) {
	for _, size := range []int{2048, 4096} {
		if mtu+framesOfMTU <= size-xsk.Headroom {
			return size, nil
		}
	}
	return 0, fmt.Errorf("frames of MTU %d do not fit into a slot of 4096 bytes", mtu)
}

// newAFXDP makes the slots of a queue, for as long as the ingest lives; open gives it a socket.
func newAFXDP(number int, streams []*stream, from Source, options Options, at place) (*afxdp, error) {
	size, err := slotBytes(from.MTU)
	if err != nil {
		return nil, err
	}
	made, err := newQueue("af_xdp-"+strconv.Itoa(number), ringSize+receiveBatch, size, streams, options, at)
	if err != nil {
		return nil, err
	}
	made.number = number
	return &afxdp{
		queue: made, ports: newPortTable(streams), sequences: from.Maps.Sequences,
		verifyUDP: options.VerifyUDPChecksum, arrivals: make([]arrival, 0, receiveBatch), given: make([]uint64, len(streams)),
	}, nil
}

func newPortTable(streams []*stream) *portTable {
	table := new(portTable)
	for _, stream := range streams {
		table[stream.port] = stream
	}
	return table
}

// open binds a socket to the queue of the interface and lets the program redirect to it. Without one, nothing changes.
func (a *afxdp) open(from Source) error {
	if size, err := slotBytes(from.MTU); err != nil || size > a.pool.SlotBytes() {
		return fmt.Errorf("frames of MTU %d do not fit into the slots of %d bytes that were made at the start: restart to get longer ones",
			from.MTU, a.pool.SlotBytes())
	}
	for range ringSize {
		slot, _ := a.list.Get()
		a.refills = append(a.refills, slot)
	}
	socket, err := a.bind(from)
	if err != nil {
		a.keepRefills()
		return err
	}
	a.refills = a.refills[:0]
	a.closing.Lock()
	defer a.closing.Unlock()
	a.socket = socket
	return nil
}

func (a *afxdp) bind(from Source) (*xsk.Socket, error) {
	socket, err := xsk.Open(xsk.Options{
		InterfaceIndex: from.State.InterfaceIndex, Queue: uint32(a.number), Pool: a.pool,
		FillSize: ringSize, RXSize: ringSize, Filled: a.refills,
	})
	if err != nil {
		return nil, err
	}
	if err := a.beginNumbers(); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	if err := from.Maps.Sockets.Put(uint32(a.number), uint32(socket.Fd())); err != nil {
		return nil, errors.Join(fmt.Errorf("let the program redirect queue %d: %w", a.number, err), socket.Close())
	}
	return socket, nil
}

// beginNumbers: numbers given before the first socket are not ours, those given since the last one are lost.
func (a *afxdp) beginNumbers() error {
	for _, stream := range a.streams {
		number, err := a.numberOf(stream)
		if err != nil {
			return err
		}
		if a.used {
			stream.missed(a.queue, number)
		}
		stream.highest[a.number] = number
	}
	a.used = true
	return nil
}

// keepRefills takes back the slots that were meant for the kernel.
func (a *afxdp) keepRefills() {
	for _, slot := range a.refills {
		a.list.Put(slot)
	}
	a.refills = a.refills[:0]
}

// numberOf is the last number that the program gave to a datagram of a stream in this queue.
func (a *afxdp) numberOf(stream *stream) (uint64, error) {
	var number uint64
	if err := a.sequences.Lookup(uint32(a.number)*xdp.IngestStreams+stream.number, &number); err != nil {
		return 0, fmt.Errorf("read the numbers of port %d: %w", stream.port, err)
	}
	return number, nil
}

// run receives until the event is set. Of an interface that vanishes the socket says nothing: Watch does.
func (a *afxdp) run(stop event) {
	polled := []unix.PollFd{{Fd: int32(stop.fd), Events: unix.POLLIN}, {Fd: int32(a.socket.Fd()), Events: unix.POLLIN}}
	ticked := time.Now()
	for polled[0].Revents == 0 {
		taken := 0
		// Bounded, so that a flood hides neither the stop nor the tick; poll returns at once where more is there.
		for batch := 0; batch < maxBatches; batch++ {
			count := a.receive()
			if count == 0 {
				break
			}
			taken += count
			a.quiet = false
		}
		if time.Since(ticked) >= tick {
			ticked = time.Now()
			a.settleNumbers()
		}
		if err := pause(polled, taken); err != nil {
			slog.Error("ingest poll", "queue", a.name, "error", err)
			time.Sleep(tick)
		}
	}
}

// pause waits for datagrams. A busy queue naps first: a receiver that hardly ever waits in poll(2) spares the core that
// serves the interface from waking it after every few datagrams.
func pause(polled []unix.PollFd, taken int) error {
	timeout := tick
	if taken >= receiveBatch {
		if err := unix.Nanosleep(&unix.Timespec{Nsec: nap.Nanoseconds()}, nil); err != nil && err != unix.EINTR {
			return err
		}
		timeout = 0
	}
	if _, err := unix.Poll(polled, int(timeout.Milliseconds())); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// receive takes one batch and gives the kernel as many slots in return.
func (a *afxdp) receive() int {
	count := a.socket.RX.Available(receiveBatch)
	if count == 0 {
		return 0
	}
	now := time.Now().UnixNano()
	kept := a.arrivals[:0]
	for offset := range count {
		if arrived := a.read(a.socket.RX.Get(offset), now); arrived.stream != nil {
			kept = append(kept, arrived)
		}
	}
	a.socket.RX.Release(count)
	a.handOff(kept)
	a.debt += int(count)
	a.refill()
	return int(count)
}

// read parses a frame and describes it in its slot's record. A frame that is for no port goes back unseen: the program
// does not redirect any, and if it did, the missing number would count it as lost.
func (a *afxdp) read(descriptor xsk.Descriptor, now int64) arrival {
	slot := a.pool.SlotAt(descriptor.Addr)
	start := int(descriptor.Addr) & (a.pool.SlotBytes() - 1)
	frame := a.pool.Bytes(slot)[start : start+int(descriptor.Len)]
	parsed := &a.parsed
	problem := parsed.parse(frame, a.verifyUDP)
	stream := a.ports[parsed.port]
	if stream == nil {
		a.list.Put(slot)
		return arrival{}
	}
	record := &a.records[slot]
	record.received, record.source, record.stream = now, parsed.source, uint8(stream.number)
	record.offset, record.length = uint32(start+parsed.offset), uint32(parsed.length)
	return arrival{stream: stream, slot: slot, number: binary.NativeEndian.Uint64(frame), cause: problem}
}

// refill pays the kernel's slots back. There always are enough: subscriptions can't take more than their share.
func (a *afxdp) refill() {
	for len(a.refills) < a.debt {
		slot, ok := a.list.Get()
		if !ok {
			break
		}
		a.refills = append(a.refills, slot)
	}
	given := a.socket.FillSlots(a.pool, a.refills)
	a.debt -= given
	a.refills = a.refills[:copy(a.refills, a.refills[given:])]
}

// settleNumbers counts datagrams lost at the end of a burst, which no later number shows. The program gives a number
// before the kernel publishes the frame: so only numbers that are a whole quiet tick old count.
func (a *afxdp) settleNumbers() {
	for i, stream := range a.streams {
		if a.quiet {
			stream.missed(a.queue, a.given[i])
		}
		number, err := a.numberOf(stream)
		if err != nil {
			slog.Error("ingest", "queue", a.name, "error", err)
			continue
		}
		a.given[i] = number
	}
	a.quiet = true
	a.readStatistics()
}

func (a *afxdp) readStatistics() {
	a.closing.Lock()
	defer a.closing.Unlock()
	if a.socket == nil {
		return
	}
	statistics, err := a.socket.Statistics()
	if err != nil {
		slog.Error("ingest", "queue", a.name, "error", err)
		return
	}
	a.kernel.ringFull.Store(a.before.Rx_ring_full + statistics.Rx_ring_full)
	a.kernel.fillEmpty.Store(a.before.Rx_fill_ring_empty_descs + statistics.Rx_fill_ring_empty_descs)
}

// drain takes what the ring still holds and counts the rest as lost, so that the account ends exact. Only for a queue
// that the program redirects nothing to any more.
func (a *afxdp) drain() {
	for a.receive() > 0 {
	}
	for range 2 {
		a.quiet = true
		a.settleNumbers()
	}
}

// close ends the socket, if there is one. The slots that the kernel had are nobody's until the pool
// reclaims them.
func (a *afxdp) close() error {
	if a.socket == nil {
		return nil
	}
	a.drain()
	a.keepRefills()
	a.debt = 0
	a.closing.Lock()
	defer a.closing.Unlock()
	a.before = unix.XDPStatistics{Rx_ring_full: a.kernel.ringFull.Load(), Rx_fill_ring_empty_descs: a.kernel.fillEmpty.Load()}
	err := a.socket.Close()
	a.socket = nil
	return err
}
