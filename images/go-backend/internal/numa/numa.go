// Package numa binds memory and threads to the nodes of a machine, by the system calls that x/sys does not wrap.
package numa

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	policyBind  = 2 // MPOL_BIND of linux/mempolicy.h
	maskWords   = 16
	bitsPerWord = 64
)

// ErrUnsupported is what Bind returns on a kernel without NUMA.
var ErrUnsupported = errors.New("the kernel has no NUMA support")

// Bind makes the pages of a mapping come from one node. It does not move pages that were touched before.
func Bind(memory []byte, node uint32) error {
	if node >= maskWords*bitsPerWord {
		return fmt.Errorf("NUMA node %d is beyond what the kernel can have", node)
	}
	var mask [maskWords]uint64
	mask[node/bitsPerWord] = 1 << (node % bitsPerWord)
	// The kernel takes one bit less than it is told.
	_, _, errno := unix.Syscall6(unix.SYS_MBIND, uintptr(unsafe.Pointer(unsafe.SliceData(memory))), uintptr(len(memory)),
		policyBind, uintptr(unsafe.Pointer(&mask)), uintptr(len(mask)*bitsPerWord+1), 0)
	switch errno {
	case 0:
		return nil
	case unix.ENOSYS:
		return ErrUnsupported
	case unix.EPERM:
		return fmt.Errorf("binding memory to NUMA node %d needs the capability SYS_NICE under this seccomp profile: %w", node, errno)
	case unix.EINVAL:
		return fmt.Errorf("NUMA node %d does not exist or has no memory: %w", node, errno)
	}
	return fmt.Errorf("bind memory to NUMA node %d: %w", node, errno)
}

// NodesOf tells on which node each page of a mapping lies, by move_pages. A page not touched yet is an error.
func NodesOf(memory []byte, pageBytes int) ([]int, error) {
	count := (len(memory) + pageBytes - 1) / pageBytes
	if count == 0 {
		return nil, nil
	}
	pages, status := make([]unsafe.Pointer, count), make([]int32, count)
	for i := range pages {
		pages[i] = unsafe.Pointer(&memory[i*pageBytes])
	}
	_, _, errno := unix.Syscall6(unix.SYS_MOVE_PAGES, uintptr(os.Getpid()), uintptr(count),
		uintptr(unsafe.Pointer(&pages[0])), 0, uintptr(unsafe.Pointer(&status[0])), 0)
	runtime.KeepAlive(memory)
	if errno != 0 {
		return nil, fmt.Errorf("move_pages: %w", errno)
	}
	nodes := make([]int, count)
	for i, node := range status {
		if node < 0 {
			return nil, fmt.Errorf("page %d: %w", i, unix.Errno(-node))
		}
		nodes[i] = int(node)
	}
	return nodes, nil
}

// PinThread restricts the calling thread to CPUs. The goroutine must hold its thread (runtime.LockOSThread) and never
// give it back, so that the thread ends with the goroutine.
func PinThread(cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("run on CPUs %v: %w", cpus, err)
	}
	return nil
}
