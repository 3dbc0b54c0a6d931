package xdp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// enterNamespace moves the test into a network namespace of its own. The thread stays locked, so that it ends,
// and the namespace with it, when the test does.
func enterNamespace(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	up(t, "lo")
}

// needRoot skips where capabilities are missing; nothing else may skip.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF and CAP_NET_ADMIN")
	}
}

// load fails the test on every error, a verifier rejection above all.
func load(t testing.TB) *Program {
	t.Helper()
	needRoot(t)
	failSafe, err := ParseFailSafe(DefaultFailSafe)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(LoadOptions{FailSafe: failSafe})
	if err != nil {
		t.Fatalf("%v\n%s", err, VerifierLog(err))
	}
	t.Cleanup(func() { loaded.Close() })
	return loaded
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func device(t *testing.T, name string) netlink.Link {
	t.Helper()
	found, err := netlink.LinkByName(name)
	must(t, err)
	return found
}

func deleteDevice(t *testing.T, name string) {
	t.Helper()
	must(t, netlink.LinkDel(device(t, name)))
}

func up(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		must(t, netlink.LinkSetUp(device(t, name)))
	}
}

// addVeth makes a pair that sends nothing by itself: without IPv6 addresses there is no neighbour discovery.
func addVeth(t *testing.T, name, peer string, mtu int) {
	t.Helper()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name, MTU: mtu}, PeerName: peer, PeerMTU: uint32(mtu)}))
	for _, end := range []string{name, peer} {
		must(t, netlink.LinkSetIP6AddrGenMode(device(t, end), 1))
	}
	up(t, name, peer)
}

// addDefaultRoute gives an interface an address and a default route.
func addDefaultRoute(t *testing.T, name string, network byte, metric int) {
	t.Helper()
	addAddress(t, name, netip.AddrFrom4([4]byte{10, 0, network, 1}))
	must(t, netlink.RouteAdd(&netlink.Route{
		LinkIndex: device(t, name).Attrs().Index, Gw: net.IPv4(10, 0, network, 2), Priority: metric,
	}))
}

func addAddress(t *testing.T, name string, address netip.Addr) {
	t.Helper()
	parsed, err := netlink.ParseAddr(address.String() + "/24")
	must(t, err)
	must(t, netlink.AddrAdd(device(t, name), parsed))
}

func attach(t *testing.T, options Options) *Attachment {
	t.Helper()
	attachment, err := Attach(load(t), nil, options)
	must(t, err)
	t.Cleanup(func() { attachment.Close() })
	return attachment
}

func attachedCounters(t *testing.T, attachment *Attachment) []Counter {
	t.Helper()
	counters, err := attachment.Counters()
	must(t, err)
	return counters
}

// sendFrames sends whole Ethernet frames out of an interface.
func sendFrames(t *testing.T, name string, frames [][]byte) {
	t.Helper()
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(socket)
	address := &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: device(t, name).Attrs().Index}
	for _, frame := range frames {
		must(t, unix.Sendto(socket, frame, 0, address))
	}
}

// patience is for a machine that is busy with other things; whatever is right comes at once elsewhere.
const patience = time.Minute

// eventually waits for a condition that another CPU's softirq makes true.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

// inNamespace runs a function in another namespace, on this thread.
func inNamespace(t *testing.T, other netns.NsHandle, do func()) {
	t.Helper()
	own, err := netns.Get()
	must(t, err)
	defer own.Close()
	must(t, netns.Set(other))
	defer func() { must(t, netns.Set(own)) }()
	do()
}
