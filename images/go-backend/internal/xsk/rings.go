package xsk

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/ring"
)

// mapRings makes the rings in the kernel and maps them. The fill and completion rings always exist: bind wants both.
func (s *Socket) mapRings(options Options) error {
	sizes := map[int]int{
		unix.XDP_UMEM_FILL_RING: options.FillSize, unix.XDP_UMEM_COMPLETION_RING: max(options.TXSize, 2),
		unix.XDP_RX_RING: options.RXSize, unix.XDP_TX_RING: options.TXSize,
	}
	for option, size := range sizes {
		if size == 0 {
			continue
		}
		if err := unix.SetsockoptInt(s.fd, unix.SOL_XDP, option, size); err != nil {
			return fmt.Errorf("make an AF_XDP ring of %d entries: %w", size, err)
		}
	}
	offsets, err := s.offsets()
	if err != nil {
		return err
	}
	fill, err := mapRing[uint64](s, offsets.Fr, options.FillSize, unix.XDP_UMEM_PGOFF_FILL_RING)
	if err != nil {
		return err
	}
	completion, err := mapRing[uint64](s, offsets.Cr, max(options.TXSize, 2), unix.XDP_UMEM_PGOFF_COMPLETION_RING)
	if err != nil {
		return err
	}
	s.Fill, s.Completion = ring.NewProducer(fill), ring.NewConsumer(completion)
	return s.mapDirections(options, offsets)
}

func (s *Socket) mapDirections(options Options, offsets unix.XDPMmapOffsets) error {
	if options.RXSize > 0 {
		memory, err := mapRing[Descriptor](s, offsets.Rx, options.RXSize, unix.XDP_PGOFF_RX_RING)
		if err != nil {
			return err
		}
		s.RX = ring.NewConsumer(memory)
	}
	if options.TXSize > 0 {
		memory, err := mapRing[Descriptor](s, offsets.Tx, options.TXSize, unix.XDP_PGOFF_TX_RING)
		if err != nil {
			return err
		}
		s.TX = ring.NewProducer(memory)
	}
	return nil
}

func (s *Socket) offsets() (unix.XDPMmapOffsets, error) {
	var offsets unix.XDPMmapOffsets
	length := uint32(unsafe.Sizeof(offsets))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP, unix.XDP_MMAP_OFFSETS,
		uintptr(unsafe.Pointer(&offsets)), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 || length != uint32(unsafe.Sizeof(offsets)) {
		return offsets, fmt.Errorf("read the layout of the AF_XDP rings (%d bytes): %w", length, errno)
	}
	return offsets, nil
}

func mapRing[T any](socket *Socket, offset unix.XDPRingOffset, size int, page int64) (ring.Memory[T], error) {
	var entry T
	length := int(offset.Desc) + size*int(unsafe.Sizeof(entry))
	mapping, err := unix.Mmap(socket.fd, page, length, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return ring.Memory[T]{}, fmt.Errorf("map an AF_XDP ring: %w", err)
	}
	socket.mappings = append(socket.mappings, mapping)
	word := func(at uint64) *uint32 { return (*uint32)(unsafe.Pointer(&mapping[at])) }
	return ring.Memory[T]{
		Producer: word(offset.Producer), Consumer: word(offset.Consumer), Flags: word(offset.Flags),
		Entries: unsafe.Slice((*T)(unsafe.Pointer(&mapping[offset.Desc])), size),
	}, nil
}

func setOption(fd, option int, value unsafe.Pointer, length uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_XDP, uintptr(option), uintptr(value), length, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
