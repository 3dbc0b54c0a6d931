// Package xsk opens AF_XDP sockets whose packet memory is a slot pool.
//
// Copy mode only: it works on every driver that XDP works on, and a kernel that ends a socket never writes to a slot
// afterwards. A socket receives, transmits or both; the slots of the two directions never mix, because each direction
// takes from and gives back to the owner of the socket by its own rings.
package xsk

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/ring"
	"triptych.dev/go-backend/internal/slotpool"
)

// Headroom is what the kernel leaves free before a received packet (XDP_PACKET_HEADROOM).
const Headroom = 256

const busyTimeout = 2 * time.Second

// Descriptor is a packet: its address in the pool's memory and its length.
type Descriptor = unix.XDPDesc

// Options of a socket.
type Options struct {
	InterfaceIndex uint32
	Queue          uint32
	Pool           *slotpool.Pool
	// Sizes of the rings, powers of two. RXSize or TXSize may be 0 for a socket of one direction.
	FillSize, RXSize, TXSize int
	// Filled are slots to receive into, given to the kernel before it can deliver a packet; at most FillSize.
	Filled []slotpool.Slot
}

// Socket is a bound AF_XDP socket. Each ring belongs to one goroutine.
type Socket struct {
	fd       int
	mappings [][]byte

	// Fill takes addresses of slots to receive into, RX yields packets.
	Fill *ring.Producer[uint64]
	RX   *ring.Consumer[Descriptor]
	// TX takes packets to send, Completion yields the addresses of those sent.
	TX         *ring.Producer[Descriptor]
	Completion *ring.Consumer[uint64]
}

// Open creates the rings, fills and binds. Errors name a missing capability or an interface that cannot.
func Open(options Options) (*Socket, error) {
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, explain(err, "create an AF_XDP socket")
	}
	socket := &Socket{fd: fd}
	if err := socket.setUp(options); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return socket, nil
}

func (s *Socket) setUp(options Options) error {
	if err := s.register(options.Pool); err != nil {
		return err
	}
	if err := s.mapRings(options); err != nil {
		return err
	}
	s.FillSlots(options.Pool, options.Filled)
	address := &unix.SockaddrXDP{
		Flags: unix.XDP_COPY | unix.XDP_USE_NEED_WAKEUP, Ifindex: options.InterfaceIndex, QueueID: options.Queue,
	}
	return explain(s.bind(address), fmt.Sprintf("bind to queue %d of interface %d", options.Queue, options.InterfaceIndex))
}

// bind waits a little for a queue that is busy: the kernel gives it back some time after a socket was closed.
func (s *Socket) bind(address *unix.SockaddrXDP) error {
	deadline := time.Now().Add(busyTimeout)
	for {
		err := unix.Bind(s.fd, address)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(busyTimeout / 100)
	}
}

// register makes the pool's memory the socket's packet memory, slot for slot.
func (s *Socket) register(pool *slotpool.Pool) error {
	memory := pool.Memory()[:pool.Slots()*pool.SlotBytes()]
	region := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory)))), Len: uint64(len(memory)), Size: uint32(pool.SlotBytes()),
	}
	return explain(setOption(s.fd, unix.XDP_UMEM_REG, unsafe.Pointer(&region), unsafe.Sizeof(region)), "register packet memory")
}

// Fd is for poll(2) and for the program's map of sockets.
func (s *Socket) Fd() int { return s.fd }

// FillSlots gives slots to receive into, as many as the fill ring has room for, and returns how many.
func (s *Socket) FillSlots(pool *slotpool.Pool, slots []slotpool.Slot) int {
	count := s.Fill.Free(uint32(len(slots)))
	for offset := range count {
		s.Fill.Set(offset, uint64(slots[offset])*uint64(pool.SlotBytes()))
	}
	s.Fill.Submit(count)
	return int(count)
}

// Kick makes the kernel send what TX holds. In copy mode it also is what sends it, so that a full ring needs a kick.
func (s *Socket) Kick() error {
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0, unix.EAGAIN, unix.EBUSY, unix.ENOBUFS:
		return nil // the packets stay in the ring: kick again
	}
	return fmt.Errorf("send: %w", errno)
}

// Statistics are the kernel's counters of the socket.
func (s *Socket) Statistics() (unix.XDPStatistics, error) {
	var statistics unix.XDPStatistics
	length := uint32(unsafe.Sizeof(statistics))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, unix.XDP_STATISTICS,
		uintptr(unsafe.Pointer(&statistics)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return statistics, fmt.Errorf("read AF_XDP statistics: %w", errno)
	}
	return statistics, nil
}

// Close ends the socket: the program's map forgets it and the kernel lets the slots go.
func (s *Socket) Close() error {
	err := unix.Close(s.fd)
	for _, mapping := range s.mappings {
		err = errors.Join(err, unix.Munmap(mapping))
	}
	return err
}

func explain(err error, action string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: the capability NET_RAW is needed: %w", action, err)
	case errors.Is(err, unix.ENOBUFS):
		return fmt.Errorf("%s: the capability IPC_LOCK or a higher memlock limit is needed: %w", action, err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("%s: this kernel has no AF_XDP: %w", action, err)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: another program has a socket there: %w", action, err)
	}
	return fmt.Errorf("%s: %w", action, err)
}
