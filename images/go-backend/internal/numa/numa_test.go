package numa

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/host"
)

func mapping(t *testing.T, pages int) []byte {
	t.Helper()
	memory, err := unix.Mmap(-1, 0, pages*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(memory) })
	return memory
}

// TestBoundMemoryLiesOnItsNode runs on the nodes of this machine, on all of a machine that has several.
func TestBoundMemoryLiesOnItsNode(t *testing.T) {
	nodes, err := host.New().NumaNodes()
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range nodes {
		memory := mapping(t, 64)
		if err := Bind(memory, node.ID); err != nil {
			t.Fatal(err)
		}
		if err := unix.Madvise(memory, unix.MADV_POPULATE_WRITE); err != nil {
			t.Fatal(err)
		}
		found, err := NodesOf(memory, os.Getpagesize())
		if err != nil || len(found) != 64 {
			t.Fatalf("%d pages, %v", len(found), err)
		}
		for page, on := range found {
			if on != int(node.ID) {
				t.Errorf("page %d is on node %d, want %d", page, on, node.ID)
			}
		}
	}
}

func TestAbsentNodesAreNamed(t *testing.T) {
	for _, node := range []uint32{63, 900, 1024, 1 << 31} {
		if err := Bind(mapping(t, 1), node); err == nil || !strings.Contains(err.Error(), "NUMA node") {
			t.Errorf("node %d: error %v", node, err)
		}
	}
}

func TestUntouchedPagesAreAnError(t *testing.T) {
	if nodes, err := NodesOf(mapping(t, 2), os.Getpagesize()); err == nil {
		t.Errorf("nodes %v", nodes)
	}
}

func TestPinThread(t *testing.T) {
	pinned := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with this goroutine
		pinned <- pinAndLook()
	}()
	if err := <-pinned; err != nil {
		t.Error(err)
	}
	if err := PinThread([]int{1023}); err == nil {
		t.Error("pinned to a CPU that is not there")
	}
}

func pinAndLook() error {
	if err := PinThread([]int{0}); err != nil {
		return err
	}
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return err
	}
	if set.Count() != 1 || !set.IsSet(0) {
		return unix.EINVAL
	}
	return nil
}
