package host

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// addInterface puts eth0 on a PCI device, below a virtio device where `virtio` is true.
func addInterface(tree fstest.MapFS, node string, virtio bool) {
	const device = "devices/pci0000:00/0000:00:03.0"
	child := device
	if virtio {
		child += "/virtio0"
	}
	tree["sys/class/net/eth0"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("../../" + child + "/net/eth0")}
	tree["sys/"+child+"/net/eth0/mtu"] = file("1500\n")
	tree["sys/"+device+"/numa_node"] = file(node)
}

func TestInterfaceNode(t *testing.T) {
	one, two, four := []string{"0-1"}, []string{"0-3", "4-7"}, []string{"0-7", "8-15", "16-23", ""}
	tests := []struct {
		name   string
		nodes  []string
		device string // content of numa_node; empty: an interface without a device
		virtio bool
		node   uint32
		known  bool
	}{
		{"two nodes, on the second", two, "1\n", false, 1, true},
		{"two nodes, virtio on the second", two, "1\n", true, 1, true},
		{"four nodes, on the third", four, "2\n", false, 2, true},
		{"two nodes, firmware does not say", two, "-1\n", false, 0, false},
		{"two nodes, virtual interface", two, "", false, 0, false},
		{"one node, firmware does not say", one, "-1\n", true, 0, true},
		{"one node, virtual interface", one, "", false, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tree := numaTree(test.nodes...)
			if test.device != "" {
				addInterface(tree, test.device, test.virtio)
			}
			node, known, err := (&Host{root: tree}).InterfaceNode("eth0")
			if node != test.node || known != test.known || err != nil {
				t.Errorf("node %d, %t, %v", node, known, err)
			}
		})
	}
}

func TestInterfaceNodeIsNoNumber(t *testing.T) {
	tree := numaTree("0")
	addInterface(tree, "left\n", false)
	if _, _, err := (&Host{root: tree}).InterfaceNode("eth0"); err == nil || !strings.Contains(err.Error(), "0000:00:03.0/numa_node") {
		t.Errorf("error %v", err)
	}
}

func TestNodeCPUs(t *testing.T) {
	machine := &Host{root: numaTree("0-2,8", "3")}
	cpus, err := machine.NodeCPUs(0)
	if want := []int{0, 1, 2, 8}; err != nil || !slices.Equal(cpus, want) {
		t.Errorf("CPUs %v, %v", cpus, err)
	}
	if _, err := machine.NodeCPUs(2); err == nil || err.Error() != "this machine has no NUMA node 2" {
		t.Errorf("error %v", err)
	}
}

func TestParseCPUs(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "0": {0}, "0-3,8": {0, 1, 2, 3, 8}, "5,7-8": {5, 7, 8}} {
		if cpus, err := ParseCPUs(list); err != nil || !slices.Equal(cpus, want) {
			t.Errorf("%q: %v, %v", list, cpus, err)
		}
	}
	for _, list := range []string{"x", "3-1", "0,", "0-", "-1", "0-99999999"} {
		if cpus, err := ParseCPUs(list); err == nil {
			t.Errorf("%q: %v", list, cpus)
		}
	}
}
