package xdp

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// Uplink is the interface that Attach would choose for a name or Auto, and why it would leave it alone, empty if it
// would not. An error means that there is no such interface.
func Uplink(name string) (device netlink.Link, refusal string, err error) {
	device, err = findInterface(name)
	if err != nil {
		return nil, "", err
	}
	if owner := cniOwner(device); owner != "" {
		refusal = fmt.Sprintf("%s belongs to a container network: %s", device.Attrs().Name, owner)
	}
	return device, refusal, nil
}
