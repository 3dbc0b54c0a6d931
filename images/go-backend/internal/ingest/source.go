package ingest

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/xdp"
)

// SourceOf describes what an attachment offers, in the calling thread's network namespace.
func SourceOf(attachment *xdp.Attachment) (Source, error) {
	from := Source{
		State: attachment.State(), Now: attachment.State, Again: func() (Source, error) { return SourceOf(attachment) },
	}
	maps, attached := attachment.IngestMaps()
	if !attached || from.State.Mode == xdp.ModeOff {
		return from, nil
	}
	link, err := netlink.LinkByIndex(int(from.State.InterfaceIndex))
	if err != nil {
		return from, fmt.Errorf("look up interface %s: %w", from.State.Interface, err)
	}
	from.Maps, from.MTU, from.halted = maps, link.Attrs().MTU, halted(link.Attrs())
	from.Queues, err = receiveQueues(from.State.Interface)
	return from, err
}

func halted(link *netlink.LinkAttrs) string {
	switch {
	case link.RawFlags&unix.IFF_UP == 0:
		return fmt.Sprintf("interface %s is down", link.Name)
	case link.RawFlags&unix.IFF_LOWER_UP == 0:
		return fmt.Sprintf("interface %s has no carrier", link.Name)
	}
	return ""
}

// channels is struct ethtool_channels.
type channels struct {
	command                              uint32
	maxRX, maxTX, maxOther, maxCombined  uint32
	countRX, countTX, countOther, shared uint32
}

// request is struct ifreq.
type request struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// receiveQueues asks the driver how many receive queues an interface has; one that can't tell has one.
func receiveQueues(name string) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("count the queues of %s: %w", name, err)
	}
	defer unix.Close(fd)
	count := channels{command: unix.ETHTOOL_GCHANNELS}
	asked := request{data: unsafe.Pointer(&count)}
	copy(asked.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&asked)))
	if errors.Is(errno, unix.EOPNOTSUPP) {
		return 1, nil
	}
	if errno != 0 {
		return 0, fmt.Errorf("count the queues of %s: %w", name, errno)
	}
	return max(int(count.countRX+count.shared), 1), nil
}
