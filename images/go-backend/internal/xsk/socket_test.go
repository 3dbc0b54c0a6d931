package xsk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/slotpool"
)

const (
	frameBytes = 200
	ringSize   = 64
	patience   = time.Minute // for a machine that is busy with other things
)

// pair is a veth pair in a namespace of its own; whatever arrives at "left" goes to the sockets of the map.
func pair(t *testing.T) (left, right uint32, sockets *ebpf.Map) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW")
	}
	runtime.LockOSThread() // the thread, and the namespace with it, ends with the test
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "left"}, PeerName: "right"}))
	var indices [2]uint32
	for i, name := range []string{"left", "right"} {
		device, err := netlink.LinkByName(name)
		must(t, err)
		must(t, netlink.LinkSetIP6AddrGenMode(device, 1))
		must(t, netlink.LinkSetUp(device))
		indices[i] = uint32(device.Attrs().Index)
	}
	sockets, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	must(t, err)
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "GPL", Instructions: asm.Instructions{
		asm.LoadMapPtr(asm.R1, sockets.FD()), asm.Mov.Imm(asm.R2, 0), asm.Mov.Imm(asm.R3, 2),
		asm.FnRedirectMap.Call(), asm.Return(),
	}})
	must(t, err)
	attached, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: int(indices[0]), Flags: link.XDPDriverMode})
	must(t, err)
	t.Cleanup(func() { attached.Close(); program.Close(); sockets.Close() })
	return indices[0], indices[1], sockets
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// end is a socket with the slots of one direction.
type end struct {
	*Socket
	pool *slotpool.Pool
	list *slotpool.List
}

func open(t *testing.T, index uint32, rx, tx int) *end {
	t.Helper()
	pool, err := slotpool.New(slotpool.Options{Slots: 2 * ringSize, SlotBytes: 2048, Lists: 1, Node: slotpool.AnyNode})
	must(t, err)
	made := &end{pool: pool, list: pool.List(0)}
	var filled []slotpool.Slot
	for range rx {
		slot, _ := made.list.Get()
		filled = append(filled, slot)
	}
	made.Socket, err = Open(Options{InterfaceIndex: index, Pool: pool, FillSize: ringSize, RXSize: rx, TXSize: tx, Filled: filled})
	must(t, err)
	t.Cleanup(func() { must(t, made.Close()); must(t, pool.Close()) })
	return made
}

// transmit puts one frame into the TX ring; false when it is full or no slot is free.
func (e *end) transmit(number uint64) bool {
	if e.TX.Free(1) == 0 {
		return false
	}
	slot, ok := e.list.Get()
	if !ok {
		return false
	}
	frame := e.pool.Bytes(slot)[:frameBytes]
	copy(frame, bytes.Repeat([]byte{byte(number)}, frameBytes))
	binary.BigEndian.PutUint64(frame[14:], number)
	e.TX.Set(0, Descriptor{Addr: uint64(slot) * uint64(e.pool.SlotBytes()), Len: frameBytes})
	e.TX.Submit(1)
	return true
}

// reclaim takes back the slots of frames that were sent.
func (e *end) reclaim() uint32 {
	sent := e.Completion.Available(ringSize)
	for offset := range sent {
		e.list.Put(e.pool.SlotAt(e.Completion.Get(offset)))
	}
	e.Completion.Release(sent)
	return sent
}

// receive checks the numbers of the frames that are there and gives their slots back to the kernel.
func (e *end) receive(t *testing.T, next uint64) uint64 {
	t.Helper()
	count := e.RX.Available(ringSize)
	for offset := range count {
		descriptor := e.RX.Get(offset)
		slot := e.pool.SlotAt(descriptor.Addr)
		start := descriptor.Addr % uint64(e.pool.SlotBytes())
		frame := e.pool.Bytes(slot)[start:][:descriptor.Len]
		if got := binary.BigEndian.Uint64(frame[14:]); got != next || len(frame) != frameBytes || frame[frameBytes-1] != byte(next) {
			t.Fatalf("frame %d of %d bytes, want frame %d", got, len(frame), next)
		}
		next++
		if given := e.FillSlots(e.pool, []slotpool.Slot{slot}); given != 1 {
			t.Fatal("the fill ring is full")
		}
	}
	e.RX.Release(count)
	return next
}

// TestFramesThroughAllFourRings sends from one end and receives at the other, several times around each ring.
func TestFramesThroughAllFourRings(t *testing.T) {
	const frames = 20 * ringSize
	left, right, sockets := pair(t)
	receiver, sender := open(t, left, ringSize, 0), open(t, right, 0, ringSize)
	must(t, sockets.Put(uint32(0), uint32(receiver.Fd())))
	sent, received := uint64(0), uint64(0)
	for deadline := time.Now().Add(patience); received < frames; {
		if time.Now().After(deadline) {
			statistics, err := receiver.Statistics()
			t.Fatalf("%d sent, %d received, %+v, %v", sent, received, statistics, err)
		}
		for sent < frames && sent < received+ringSize && sender.transmit(sent) {
			sent++
		}
		if sender.TX.NeedsWakeup() {
			must(t, sender.Kick())
		}
		sender.reclaim()
		received = receiver.receive(t, received)
	}
	for deadline := time.Now().Add(patience); ; {
		sender.reclaim()
		if free := countFree(sender); free == sender.pool.Slots() {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d of %d slots came back", free, sender.pool.Slots())
		}
	}
}

// countFree takes all slots and gives them back.
func countFree(e *end) int {
	var taken []slotpool.Slot
	for slot, ok := e.list.Get(); ok; slot, ok = e.list.Get() {
		taken = append(taken, slot)
	}
	for _, slot := range taken {
		e.list.Put(slot)
	}
	return len(taken)
}

// TestFullTXRingNeedsAKick: without one nothing leaves, and the ring refuses more.
func TestFullTXRingNeedsAKick(t *testing.T) {
	_, right, _ := pair(t)
	sender := open(t, right, 0, ringSize)
	for number := range uint64(ringSize) {
		if !sender.transmit(number) {
			t.Fatalf("the ring is full after %d frames", number)
		}
	}
	if sender.transmit(ringSize) || sender.reclaim() != 0 {
		t.Error("a full ring takes more")
	}
	must(t, sender.Kick())
	for deadline := time.Now().Add(patience); sender.reclaim() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing was sent")
		}
	}
	if !sender.transmit(ringSize) {
		t.Error("the ring is full after the kick")
	}
}

func TestOpenErrorsNameTheCause(t *testing.T) {
	left, _, _ := pair(t)
	pool, err := slotpool.New(slotpool.Options{Slots: ringSize, SlotBytes: 2048, Lists: 1, Node: slotpool.AnyNode})
	must(t, err)
	defer pool.Close()
	for want, options := range map[string]Options{
		"bind to queue 99":     {InterfaceIndex: left, Queue: 99, Pool: pool, FillSize: ringSize, RXSize: ringSize},
		"of interface 99":      {InterfaceIndex: 99, Pool: pool, FillSize: ringSize, RXSize: ringSize},
		"ring of 100 entries":  {InterfaceIndex: left, Pool: pool, FillSize: 100, RXSize: ringSize},
		"ring of 3000 entries": {InterfaceIndex: left, Pool: pool, FillSize: ringSize, RXSize: 3000},
	} {
		if socket, err := Open(options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, socket %v", want, err, fmt.Sprint(socket))
		}
	}
}
