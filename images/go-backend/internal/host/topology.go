package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// InterfaceNode is the NUMA node that a network interface's device hangs on; false where the machine has several
// nodes and does not say, as for a virtual interface.
func (h *Host) InterfaceNode(name string) (uint32, bool, error) {
	const directory = "sys/class/net"
	link, err := fs.ReadLink(h.root, path.Join(directory, name))
	if err != nil {
		return h.onlyNode()
	}
	// The device itself need not say: that of a virtio interface is a child of the PCI device which does.
	for device := path.Dir(path.Join(directory, link)); strings.HasPrefix(device, "sys/devices/"); device = path.Dir(device) {
		file := path.Join(device, "numa_node")
		text, err := h.text(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, false, fmt.Errorf("read /%s: %w", file, err)
		}
		if text == "-1" {
			break
		}
		node, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return 0, false, fmt.Errorf("read /%s: %w", file, err)
		}
		return uint32(node), true, nil
	}
	return h.onlyNode()
}

func (h *Host) onlyNode() (uint32, bool, error) {
	nodes, err := h.NumaNodes()
	if err != nil || len(nodes) != 1 {
		return 0, false, err
	}
	return nodes[0].ID, true, nil
}

// NodeCPUs are the CPUs of one node.
func (h *Host) NodeCPUs(id uint32) ([]int, error) {
	nodes, err := h.NumaNodes()
	if err != nil {
		return nil, err
	}
	index := slices.IndexFunc(nodes, func(node NumaNode) bool { return node.ID == id })
	if index < 0 {
		return nil, fmt.Errorf("this machine has no NUMA node %d", id)
	}
	return ParseCPUs(nodes[index].CPUs)
}

// maxCPUs is how many the kernel's own sets hold.
const maxCPUs = 1 << 13

// ParseCPUs reads the kernel's list format, for example "0-3,8"; an empty list has no CPUs.
func ParseCPUs(list string) ([]int, error) {
	var cpus []int
	if list == "" {
		return nil, nil
	}
	for span := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(span, "-")
		if !isRange {
			last = first
		}
		from, fromErr := strconv.ParseUint(first, 10, 32)
		to, toErr := strconv.ParseUint(last, 10, 32)
		if err := errors.Join(fromErr, toErr); err != nil || from > to || to >= maxCPUs {
			return nil, fmt.Errorf("CPU list %q: %q is no CPU and no range", list, span)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	return cpus, nil
}
