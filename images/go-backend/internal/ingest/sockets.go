package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/slotpool"
)

const (
	socketBuffer = 4 << 20
	// tick is how often an idle queue looks for losses that no later datagram has shown.
	tick         = 50 * time.Millisecond
	memoryDrops  = 8 // SK_MEMINFO_DROPS
	memoryFields = 9
)

// sockets receive on all ports with one socket each; several groups share the ports by SO_REUSEPORT.
type sockets struct {
	*queue
	ports []portSocket
	// One recvmmsg(2): the slots it may write to, and where each datagram came from.
	slots    [receiveBatch]slotpool.Slot
	vectors  [receiveBatch]unix.Iovec
	senders  [receiveBatch]unix.RawSockaddrInet6
	messages [receiveBatch]message
	arrivals []arrival
}

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	length uint32
	_      [4]byte
}

type portSocket struct {
	stream *stream
	fd     int
	drops  uint32 // of the kernel's counter, which wraps
}

// openSockets binds every port. Errors name the port that another program has.
func openSockets(number int, streams []*stream, options Options, at place) (*sockets, error) {
	made, err := newQueue("socket-"+strconv.Itoa(number), receiveBatch, options.DatagramBytes, streams, options, at)
	if err != nil {
		return nil, err
	}
	group := &sockets{queue: made, arrivals: make([]arrival, 0, receiveBatch)}
	for _, stream := range streams {
		fd, err := bindPort(stream.port)
		if err != nil {
			return nil, errors.Join(err, group.close(), made.pool.Close())
		}
		group.ports = append(group.ports, portSocket{stream: stream, fd: fd})
	}
	for i := range group.messages {
		group.prepare(i)
	}
	return group, nil
}

// bindPort opens a socket for both IP versions, or for IPv4 where the machine has no IPv6.
func bindPort(port uint16) (int, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	var address unix.Sockaddr = &unix.SockaddrInet6{Port: int(port)}
	if errors.Is(err, unix.EAFNOSUPPORT) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		address = &unix.SockaddrInet4{Port: int(port)}
	} else if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err != nil {
		return 0, fmt.Errorf("ingest port %d: %w", port, err)
	}
	if err := setUpPort(fd, address); err != nil {
		err = explainBind(err, port)
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func explainBind(err error, port uint16) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("UDP port %d is in use by another process: free it or take it out of --ingest-ports", port)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("UDP port %d: a port below 1024 needs the capability NET_BIND_SERVICE: %w", port, err)
	}
	return fmt.Errorf("UDP port %d: %w", port, err)
}

func setUpPort(fd int, address unix.Sockaddr) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	// Beyond net.core.rmem_max only with NET_ADMIN; without it the kernel takes what it allows.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer); err != nil {
			return err
		}
	}
	return unix.Bind(fd, address)
}

// prepare gives message i a slot. There always is one: subscriptions can't take more than their share.
func (s *sockets) prepare(i int) {
	slot, _ := s.list.Get()
	s.slots[i] = slot
	bytes := s.pool.Bytes(slot)
	s.vectors[i].Base = &bytes[0]
	s.vectors[i].SetLen(len(bytes))
	header := &s.messages[i].header
	header.Name, header.Namelen = (*byte)(unsafe.Pointer(&s.senders[i])), unix.SizeofSockaddrInet6
	header.Iov = &s.vectors[i]
	header.SetIovlen(1)
}

// run receives until the event is set.
func (s *sockets) run(stop event) {
	polled := []unix.PollFd{{Fd: int32(stop.fd), Events: unix.POLLIN}}
	for _, port := range s.ports {
		polled = append(polled, unix.PollFd{Fd: int32(port.fd), Events: unix.POLLIN})
	}
	for polled[0].Revents == 0 {
		ready, err := unix.Poll(polled, int(tick.Milliseconds()))
		if err != nil && err != unix.EINTR {
			slog.Error("ingest poll", "queue", s.name, "error", err)
			return
		}
		for i := range s.ports {
			readable := polled[i+1].Revents != 0
			if readable || ready == 0 { // a socket that dropped has a full buffer, or broken datagrams only
				s.receive(&s.ports[i], readable)
			}
		}
	}
}

// receive takes one batch of a port, so that a busy port does not starve the others, and counts the kernel's drops.
func (s *sockets) receive(port *portSocket, readable bool) {
	if readable {
		count, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(port.fd),
			uintptr(unsafe.Pointer(&s.messages[0])), receiveBatch, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			s.take(port.stream, int(count))
		case unix.EAGAIN, unix.EINTR:
		default:
			slog.Warn("ingest receive", "queue", s.name, "port", port.stream.port, "error", errno)
		}
	}
	if err := port.countDrops(); err != nil {
		slog.Warn("ingest drops", "queue", s.name, "port", port.stream.port, "error", err)
	}
}

func (s *sockets) take(stream *stream, count int) {
	now := time.Now().UnixNano()
	batch := s.arrivals[:0]
	for i := range count {
		message := &s.messages[i]
		found := arrival{stream: stream, slot: s.slots[i]}
		if message.header.Flags&unix.MSG_TRUNC != 0 {
			found.cause = oversized
		}
		record := &s.records[found.slot]
		record.received, record.source, record.stream = now, sender(&s.senders[i]), uint8(stream.number)
		record.offset, record.length = 0, message.length
		batch = append(batch, found)
	}
	s.handOff(batch)
	for i := range count {
		s.prepare(i)
	}
}

func sender(raw *unix.RawSockaddrInet6) endpoint {
	if raw.Family == unix.AF_INET {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		made := endpoint{port: networkOrder(four.Port), isIPv4: true}
		copy(made.address[:], four.Addr[:])
		return made
	}
	made := endpoint{address: raw.Addr, port: networkOrder(raw.Port)}
	if mapped := netip.AddrFrom16(raw.Addr); mapped.Is4In6() {
		made.isIPv4 = true
		made.address = [16]byte{}
		copy(made.address[:4], raw.Addr[12:])
	}
	return made
}

// networkOrder reads a port that the kernel left in network byte order.
func networkOrder(port uint16) uint16 {
	bytes := (*[2]byte)(unsafe.Pointer(&port))
	return uint16(bytes[0])<<8 | uint16(bytes[1])
}

// countDrops reads how many datagrams had no room in the socket's buffer or a wrong checksum.
func (p *portSocket) countDrops() error {
	var memory [memoryFields]uint32
	length := uint32(unsafe.Sizeof(memory))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(p.fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&memory)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return errno
	}
	if lost := memory[memoryDrops] - p.drops; lost > 0 {
		p.drops = memory[memoryDrops]
		p.stream.lost(uint64(lost))
	}
	return nil
}

func (s *sockets) close() error {
	var err error
	for _, port := range s.ports {
		err = errors.Join(err, unix.Close(port.fd))
	}
	return err
}
