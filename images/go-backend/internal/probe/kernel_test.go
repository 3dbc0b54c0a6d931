package probe

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN")
	}
}

// enterNamespace moves the test into a network namespace with a veth pair, which ends with the test's thread.
func enterNamespace(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "up0"}, PeerName: "peer0"}); err != nil {
		t.Fatal(err)
	}
}

func TestKernelHasXDP(t *testing.T) {
	needRoot(t)
	finding := TryXDP()
	if !finding.OK || !strings.Contains(finding.Detail, "attaches natively and generically") {
		t.Fatalf("%+v", finding)
	}
	if links, err := netlink.LinkList(); err != nil || slices.ContainsFunc(links, func(l netlink.Link) bool {
		return strings.HasPrefix(l.Attrs().Name, "probe")
	}) {
		t.Errorf("the probe left something in this namespace: %v, %v", links, err)
	}
}

func TestKernelHasAFXDP(t *testing.T) {
	needRoot(t)
	if finding := TryAFXDP(); !finding.OK {
		t.Fatalf("%+v", finding)
	}
}

func TestUplinkOfAVethPair(t *testing.T) {
	enterNamespace(t)
	uplink, err := FindUplink(os.DirFS("/"), "up0")
	if err != nil {
		t.Fatal(err)
	}
	if uplink.Interface != "up0" || uplink.Driver != "veth" || !uplink.Native || uplink.ZeroCopy || uplink.NumaNode != -1 {
		t.Errorf("%+v", uplink)
	}
	if uplink.FeaturesKnown && !slices.Contains(uplink.Features, "basic") {
		t.Errorf("features %v", uplink.Features)
	}
}

func TestLoopbackHasNoNativeXDP(t *testing.T) {
	enterNamespace(t)
	if uplink, err := FindUplink(os.DirFS("/"), "lo"); err != nil || uplink.Native {
		t.Errorf("%+v, %v", uplink, err)
	}
}

func TestUplinkOfAContainerNetwork(t *testing.T) {
	enterNamespace(t)
	if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "switch0"}}); err != nil {
		t.Fatal(err)
	}
	if uplink, err := FindUplink(os.DirFS("/"), "switch0"); err != nil || !strings.Contains(uplink.Refusal, "it is a bridge") {
		t.Errorf("%+v, %v", uplink, err)
	}
}

func TestNoUplink(t *testing.T) {
	enterNamespace(t)
	for _, name := range []string{"auto", "eth9"} {
		if _, err := FindUplink(os.DirFS("/"), name); err == nil || !strings.Contains(err.Error(), "set --interface") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestDriverAndMemoryNodeOfADevice(t *testing.T) {
	enterNamespace(t)
	root := fstest.MapFS{
		"sys/class/net/up0/device/driver":    {Data: []byte("../../../../bus/pci/drivers/ice"), Mode: os.ModeSymlink},
		"sys/class/net/up0/device/numa_node": {Data: []byte("1\n")},
	}
	if uplink, err := FindUplink(root, "up0"); err != nil || uplink.Driver != "ice" || uplink.NumaNode != 1 {
		t.Errorf("%+v, %v", uplink, err)
	}
}

func TestFeatureNames(t *testing.T) {
	if got := (FeatureBasic | FeatureZeroCopy).Strings(); !slices.Equal(got, []string{"basic", "xsk-zerocopy"}) {
		t.Error(got)
	}
}
