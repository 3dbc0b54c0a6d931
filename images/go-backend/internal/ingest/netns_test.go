package ingest

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	uplink = "up0"   // where the program is attached
	remote = "peer0" // the other end, where frames are sent
)

var (
	local4  = netip.MustParseAddr("10.9.0.1")
	local6  = netip.MustParseAddr("fd09::1")
	remote4 = netip.MustParseAddr("10.9.0.2")
	remote6 = netip.MustParseAddr("fd09::2")
)

// enterNamespace moves the test into a network namespace of its own with a veth pair; the thread, and the namespace
// with it, ends with the test.
func enterNamespace(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF, CAP_NET_ADMIN and CAP_NET_RAW")
	}
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	must(t, netlink.LinkSetUp(device(t, "lo")))
	addUplink(t)
}

// addUplink makes the veth pair with the node's addresses.
func addUplink(t testing.TB) {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: uplink}, PeerName: remote}))
	for _, end := range []string{uplink, remote} {
		must(t, netlink.LinkSetIP6AddrGenMode(device(t, end), 1)) // no neighbour discovery by itself
		must(t, netlink.LinkSetUp(device(t, end)))
	}
	for _, address := range []string{local4.String() + "/24", local6.String() + "/64"} {
		parsed, err := netlink.ParseAddr(address)
		must(t, err)
		parsed.Flags = unix.IFA_F_NODAD
		must(t, netlink.AddrAdd(device(t, uplink), parsed))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func device(t testing.TB, name string) netlink.Link {
	t.Helper()
	found, err := netlink.LinkByName(name)
	must(t, err)
	return found
}

// patience is for a machine that is busy with other things; whatever is right comes at once elsewhere.
const patience = time.Minute

// eventually waits for what other threads and the kernel do.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

// wire sends whole Ethernet frames out of the remote end.
type wire struct {
	fd      int
	address unix.SockaddrLinklayer
}

func newWire(t testing.TB) *wire {
	t.Helper()
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return &wire{fd: fd, address: unix.SockaddrLinklayer{Ifindex: device(t, remote).Attrs().Index}}
}

// send waits while the queue of the other end is full: then the kernel refuses a frame, and nothing has left.
func (w *wire) send(t testing.TB, frames ...[]byte) {
	t.Helper()
	for _, frame := range frames {
		err := w.trySend(frame)
		for deadline := time.Now().Add(patience); errors.Is(err, unix.ENOBUFS) && time.Now().Before(deadline); err = w.trySend(frame) {
			time.Sleep(time.Millisecond)
		}
		must(t, err)
	}
}

func (w *wire) trySend(frame []byte) error {
	return unix.Sendto(w.fd, frame, 0, &w.address)
}

// builder makes frames; its zero value with addresses and ports set makes a valid datagram.
type builder struct {
	from, to     netip.AddrPort
	tags         []uint16 // EtherTypes of VLAN tags, outermost first
	options      int      // words of IPv4 options
	padding      int
	noChecksum   bool
	mac          net.HardwareAddr
	mutateIP     func(header []byte)
	mutateUDP    func(header []byte)
	fragmentBits uint16
}

func (b builder) frame(payload []byte) []byte {
	destination := b.mac
	if destination == nil {
		destination = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	}
	frame := append(append([]byte{}, destination...), 2, 0, 0, 0, 0, 2)
	for _, tag := range b.tags {
		frame = append(binary.BigEndian.AppendUint16(frame, tag), 0, 7)
	}
	transport := b.udp(payload)
	if b.to.Addr().Is4() {
		frame = append(binary.BigEndian.AppendUint16(frame, typeIPv4), b.ipv4(len(transport))...)
	} else {
		frame = append(binary.BigEndian.AppendUint16(frame, typeIPv6), b.ipv6(len(transport))...)
	}
	return append(append(frame, transport...), make([]byte, b.padding)...)
}

func (b builder) udp(payload []byte) []byte {
	header := binary.BigEndian.AppendUint16(nil, b.from.Port())
	header = binary.BigEndian.AppendUint16(header, b.to.Port())
	header = binary.BigEndian.AppendUint16(header, uint16(udpHeader+len(payload)))
	transport := append(append(header, 0, 0), payload...)
	if !b.noChecksum {
		pseudo := append(b.from.Addr().AsSlice(), b.to.Addr().AsSlice()...)
		pseudo = binary.BigEndian.AppendUint16(append(pseudo, 0, protocolUDP), uint16(len(transport)))
		checksum := referenceChecksum(append(pseudo, transport...))
		if checksum == 0 {
			checksum = 0xffff
		}
		binary.BigEndian.PutUint16(transport[6:], checksum)
	}
	if b.mutateUDP != nil {
		b.mutateUDP(transport)
	}
	return transport
}

func (b builder) ipv4(length int) []byte {
	size := ipv4Header + 4*b.options
	header := make([]byte, size)
	header[0], header[8], header[9] = byte(0x40|size/4), 64, protocolUDP
	binary.BigEndian.PutUint16(header[2:], uint16(size+length))
	binary.BigEndian.PutUint16(header[6:], b.fragmentBits)
	copy(header[12:], b.from.Addr().AsSlice())
	copy(header[16:], b.to.Addr().AsSlice())
	for i := ipv4Header; i < size; i++ {
		header[i] = 1 // no operation
	}
	binary.BigEndian.PutUint16(header[10:], referenceChecksum(header))
	if b.mutateIP != nil {
		b.mutateIP(header)
	}
	return header
}

func (b builder) ipv6(length int) []byte {
	header := make([]byte, ipv6Header)
	header[0], header[6], header[7] = 0x60, protocolUDP, 64
	binary.BigEndian.PutUint16(header[4:], uint16(length))
	copy(header[8:], b.from.Addr().AsSlice())
	copy(header[24:], b.to.Addr().AsSlice())
	if b.mutateIP != nil {
		b.mutateIP(header)
	}
	return header
}

// referenceChecksum is RFC 1071 the slow way.
func referenceChecksum(data []byte) uint16 {
	var total uint64
	for i, value := range data {
		if i%2 == 0 {
			total += uint64(value) << 8
		} else {
			total += uint64(value)
		}
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return ^uint16(total)
}

func to4(port uint16) builder {
	return builder{from: netip.AddrPortFrom(remote4, 4000), to: netip.AddrPortFrom(local4, port)}
}

func to6(port uint16) builder {
	return builder{from: netip.AddrPortFrom(remote6, 4000), to: netip.AddrPortFrom(local6, port)}
}

// connectWire lets sendmmsg(2) do without an address.
func connectWire(t testing.TB, w *wire) {
	t.Helper()
	address := w.address
	address.Protocol = 0 // receives nothing
	must(t, unix.Bind(w.fd, &address))
}

func sendMessages(fd int, messages []message) (int, error) {
	count, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(count), nil
}
