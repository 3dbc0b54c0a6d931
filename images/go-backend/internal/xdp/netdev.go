package xdp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// Auto asks for the interface of the default route.
const Auto = "auto"

// Interfaces whose packets belong to a container network; attaching there would count, or later drop, pods' traffic.
var (
	cniPrefixes = []string{
		"antrea", "br-", "cali", "cbr", "cilium", "cni", "docker", "eni", "flannel", "genev_sys", "gke", "kube-",
		"lxc", "nodelocaldns", "ovn", "podman", "tunl", "veth", "vxlan", "weave",
	}
	cniKinds = []string{"bridge", "geneve", "ipip", "ipvlan", "macvlan", "vxlan"}
)

// findInterface looks an interface up by name, or the default route's for Auto.
func findInterface(name string) (netlink.Link, error) {
	if name == Auto {
		return defaultRouteInterface()
	}
	device, err := netlink.LinkByName(name)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		return nil, fmt.Errorf("interface %q does not exist: set --interface to one of %s, or to auto", name, interfaceNames())
	}
	if err != nil {
		return nil, fmt.Errorf("look up interface %q: %w", name, err)
	}
	return device, nil
}

func defaultRouteInterface() (netlink.Link, error) {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteList(nil, family)
		if err != nil {
			return nil, fmt.Errorf("list routes: %w", err)
		}
		if index := bestDefaultRoute(routes); index != 0 {
			return netlink.LinkByIndex(index)
		}
	}
	return nil, errNoDefaultRoute
}

var errNoDefaultRoute = errors.New("no default route to take the interface from: set --interface")

// bestDefaultRoute returns the interface index of the default route with the lowest metric, 0 where there is none.
func bestDefaultRoute(routes []netlink.Route) int {
	routes = slices.DeleteFunc(slices.Clone(routes), func(route netlink.Route) bool {
		return !isDefault(route.Dst) || routeInterface(route) == 0
	})
	if len(routes) == 0 {
		return 0
	}
	best := slices.MinFunc(routes, func(a, b netlink.Route) int { return a.Priority - b.Priority })
	return routeInterface(best)
}

func isDefault(destination *net.IPNet) bool {
	if destination == nil {
		return true
	}
	ones, _ := destination.Mask.Size()
	return ones == 0 && destination.IP.IsUnspecified()
}

// routeInterface is the interface of a route, of its first hop for a multipath route.
func routeInterface(route netlink.Route) int {
	if route.LinkIndex == 0 && len(route.MultiPath) > 0 {
		return route.MultiPath[0].LinkIndex
	}
	return route.LinkIndex
}

// cniOwner tells why an interface seems to belong to a container network; empty if it does not.
func cniOwner(device netlink.Link) string {
	name := device.Attrs().Name
	for _, prefix := range cniPrefixes {
		if strings.HasPrefix(name, prefix) {
			return fmt.Sprintf("its name starts with %q", prefix)
		}
	}
	if slices.Contains(cniKinds, device.Type()) {
		return fmt.Sprintf("it is a %s", device.Type())
	}
	return ""
}

func interfaceNames() string {
	devices, err := netlink.LinkList()
	if err != nil {
		return "the node's interfaces"
	}
	names := make([]string, len(devices))
	for i, device := range devices {
		names[i] = device.Attrs().Name
	}
	return strings.Join(names, ", ")
}
