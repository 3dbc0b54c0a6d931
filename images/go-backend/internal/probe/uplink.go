package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/xdp"
)

// Features are what a driver declares of XDP (enum netdev_xdp_act of the kernel's netdev family).
type Features uint64

// The bits that decide about modes; the others only tell how well a mode works.
const (
	FeatureBasic    Features = 1 << 0
	FeatureZeroCopy Features = 1 << 3
)

var featureNames = []string{"basic", "redirect", "ndo-xmit", "xsk-zerocopy", "hw-offload", "rx-sg", "ndo-xmit-sg"}

// Strings names the features that are set.
func (f Features) Strings() []string {
	names := []string{}
	for bit, name := range featureNames {
		if f&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Uplink is the interface that the fast path would attach to.
type Uplink struct {
	Interface string `json:"interface"`
	Driver    string `json:"driver"`
	// FeaturesKnown is false on kernels before 6.3, which do not tell: Native then rests on the driver's name.
	FeaturesKnown bool     `json:"features_known"`
	Features      []string `json:"features"`
	Native        bool     `json:"native"`
	ZeroCopy      bool     `json:"zero_copy"`
	// NumaNode is the device's memory node; -1 where it has none.
	NumaNode int `json:"numa_node"`
	// Refusal tells why nothing may attach there; empty if something may.
	Refusal string `json:"refusal"`
}

// nativeDrivers have native XDP in every kernel from 5.18 to 6.2, where the kernel cannot be asked.
var nativeDrivers = []string{
	"atlantic", "bnxt_en", "dpaa2-eth", "ena", "fsl_dpaa2_eth", "hv_netvsc", "i40e", "ice", "igb", "igc", "ixgbe",
	"ixgbevf", "mana", "mlx4_en", "mlx5_core", "mvneta", "mvpp2", "nfp", "nicvf", "qede", "sfc", "stmmac", "tun",
	"veth", "virtio_net",
}

// FindUplink describes an interface by name, or the default route's for xdp.Auto. It reads only.
func FindUplink(root fs.FS, name string) (Uplink, error) {
	device, refusal, err := xdp.Uplink(name)
	if err != nil {
		return Uplink{}, err
	}
	uplink := Uplink{
		Interface: device.Attrs().Name,
		Driver:    driver(root, device),
		NumaNode:  deviceNode(root, device.Attrs().Name),
		Features:  []string{},
		Refusal:   refusal,
	}
	features, err := queryFeatures(device.Attrs().Index)
	if errors.Is(err, unix.ENOENT) {
		uplink.Native = slices.Contains(nativeDrivers, uplink.Driver)
		return uplink, nil
	}
	if err != nil {
		return Uplink{}, fmt.Errorf("ask the kernel for the XDP features of %s: %w", uplink.Interface, err)
	}
	uplink.FeaturesKnown, uplink.Features = true, features.Strings()
	uplink.Native, uplink.ZeroCopy = features&FeatureBasic != 0, features&FeatureZeroCopy != 0
	return uplink, nil
}

// driver is the name of a device's driver, or the kind of a virtual interface.
func driver(root fs.FS, device netlink.Link) string {
	target, err := fs.ReadLink(root, path.Join("sys/class/net", device.Attrs().Name, "device/driver"))
	if err != nil {
		return device.Type()
	}
	return path.Base(target)
}

func deviceNode(root fs.FS, name string) int {
	text, err := fs.ReadFile(root, path.Join("sys/class/net", name, "device/numa_node"))
	node := -1
	if err == nil {
		fmt.Sscanf(strings.TrimSpace(string(text)), "%d", &node)
	}
	return node
}

// The part of the kernel's netdev family (include/uapi/linux/netdev.h) that is asked here.
const (
	netdevFamily          = "netdev"
	netdevCommandDevGet   = 1
	netdevAttrIfindex     = 1
	netdevAttrXDPFeatures = 3
)

// genericHeader is struct genlmsghdr: command, version and two bytes that must be zero. (nl.Genlmsg serialises the two
// bytes that happen to lie behind it, which strict families refuse.)
type genericHeader [nl.SizeofGenlmsg]byte

func (h genericHeader) Len() int          { return len(h) }
func (h genericHeader) Serialize() []byte { return h[:] }

// queryFeatures asks for what an interface's driver declares. ENOENT: the kernel has no such query.
func queryFeatures(index int) (Features, error) {
	family, err := netlink.GenlFamilyGet(netdevFamily)
	if err != nil {
		return 0, err
	}
	request := nl.NewNetlinkRequest(int(family.ID), 0)
	request.AddData(genericHeader{netdevCommandDevGet, byte(family.Version)})
	request.AddData(nl.NewRtAttr(netdevAttrIfindex, nl.Uint32Attr(uint32(index))))
	messages, err := request.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return 0, err
	}
	for _, message := range messages {
		attributes, err := nl.ParseRouteAttr(message[nl.SizeofGenlmsg:])
		if err != nil {
			return 0, err
		}
		for _, attribute := range attributes {
			if attribute.Attr.Type == netdevAttrXDPFeatures && len(attribute.Value) == 8 {
				return Features(binary.NativeEndian.Uint64(attribute.Value)), nil
			}
		}
	}
	return 0, errors.New("the answer has no xdp-features")
}
