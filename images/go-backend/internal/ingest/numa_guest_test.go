//go:build numaguest

package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/vishvananda/netlink"

	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/numa"
	"triptych.dev/go-backend/internal/slotpool"
	"triptych.dev/go-backend/internal/xdp"
)

// The machine of ci/numa_guest.py: CPU 0 on node 0, CPU 1 on node 1, and the network interface behind node 1.
const (
	guestInterface = "eth0"
	guestNode      = 1
)

// The runtime parks the main thread for ever where it ends another: a queue's goroutine that had run there would leave
// it pinned, and pinnedThreads would count it.
func init() { runtime.LockOSThread() }

func setHugepages(t *testing.T, node, count int) {
	t.Helper()
	file := fmt.Sprintf("/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages", node)
	must(t, os.WriteFile(file, fmt.Append(nil, count), 0o644))
}

// TestQueueLiesOnItsInterfacesNode has hugepages on both nodes first, and then only on the wrong one: there ordinary
// pages of the right node are better than hugepages far away.
func TestQueueLiesOnItsInterfacesNode(t *testing.T) {
	machine := host.New()
	if nodes, err := machine.NumaNodes(); err != nil || len(nodes) != 2 {
		t.Fatalf("nodes %v, %v, want two", nodes, err)
	}
	if node, known, err := machine.InterfaceNode(guestInterface); node != guestNode || !known || err != nil {
		t.Fatalf("interface on node %d, %t, %v", node, known, err)
	}
	must(t, netlink.LinkSetUp(device(t, guestInterface)))
	for _, test := range []struct{ hugepages, pageBytes int }{{64, slotpool.HugepageBytes}, {0, os.Getpagesize()}} {
		t.Run(fmt.Sprint(test.hugepages), func(t *testing.T) {
			setHugepages(t, 0, 64)
			setHugepages(t, guestNode, test.hugepages)
			checkPlacement(t, machine, test.pageBytes)
		})
	}
}

func checkPlacement(t *testing.T, machine *host.Host, pageBytes int) {
	program, err := xdp.Load(xdp.LoadOptions{})
	must(t, err)
	defer program.Close()
	attachment, err := xdp.Attach(program, nil, xdp.Options{Interface: guestInterface, Mode: xdp.ModeAuto})
	must(t, err)
	defer attachment.Close()
	source, err := SourceOf(attachment)
	must(t, err)
	started, err := Start(Options{Ports: []uint16{514}}, source, machine)
	must(t, err)
	defer started.Close()
	if mode, reason := started.Mode(); mode == ModeSocket {
		t.Fatalf("mode %s: %s", mode, reason)
	}
	queues := started.receiveQueues()
	for _, queue := range queues {
		size, reason := queue.pool.PageBytes()
		if size != pageBytes || (reason == "") != (size == slotpool.HugepageBytes) {
			t.Errorf("%s: pages of %d bytes, want %d: %s", queue.name, size, pageBytes, reason)
		}
		checkPages(t, queue, size)
		checkMaps(t, queue)
	}
	eventually(t, fmt.Sprintf("%d threads stay on the CPU of node %d", len(queues), guestNode), func() bool {
		return pinnedThreads() == len(queues)
	})
}

// checkPages asks move_pages where every page is.
func checkPages(t *testing.T, queue *queue, pageBytes int) {
	t.Helper()
	nodes, err := numa.NodesOf(queue.pool.Memory(), pageBytes)
	must(t, err)
	for page, node := range nodes {
		if node != guestNode {
			t.Fatalf("%s: page %d of %d is on node %d", queue.name, page, len(nodes), node)
		}
	}
	t.Logf("%s: %d pages of %d bytes on node %d", queue.name, len(nodes), pageBytes, guestNode)
}

// checkMaps reads the same from numa_maps, which counts pages by node in fields like N1=11.
func checkMaps(t *testing.T, queue *queue) {
	t.Helper()
	line := mapOf(t, uint64(uintptr(unsafe.Pointer(unsafe.SliceData(queue.pool.Memory())))))
	if !strings.Contains(line, fmt.Sprintf(" bind:%d ", guestNode)) || !strings.Contains(line, fmt.Sprintf(" N%d=", guestNode)) || strings.Contains(line, " N0=") {
		t.Errorf("%s: %s", queue.name, line)
	}
	t.Log(line)
}

// mapOf is the line of the mapping with an address: the last that does not begin after it. Neighbours with the same
// policy are one mapping.
func mapOf(t *testing.T, address uint64) string {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/numa_maps")
	must(t, err)
	var found string
	for line := range strings.Lines(string(maps)) {
		var start uint64
		if _, err := fmt.Sscanf(line, "%x ", &start); err != nil || start > address {
			break
		}
		found = strings.TrimSpace(line)
	}
	return found
}

// pinnedThreads counts the threads that may run on the node's CPU only.
func pinnedThreads() int {
	count := 0
	files, _ := filepath.Glob("/proc/self/task/*/status")
	for _, file := range files {
		status, _ := os.ReadFile(file) // a thread may end in between
		if strings.Contains(string(status), fmt.Sprintf("Cpus_allowed_list:\t%d\n", guestNode)) {
			count++
		}
	}
	return count
}
