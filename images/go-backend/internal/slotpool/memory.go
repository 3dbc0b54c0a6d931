package slotpool

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/numa"
)

// HugepageBytes is the size of the hugepages that pools ask for.
const HugepageBytes = 2 << 20

// memory is a prefaulted mapping and what was obtained.
type memory struct {
	bytes     []byte
	pageBytes int
	node      int
	reason    string
}

// mapMemory asks for hugepages on the node, then for ordinary pages there, then for ordinary pages anywhere.
func mapMemory(length, node int) (memory, error) {
	mapped, err := mapPages(length, HugepageBytes, node)
	if err == nil {
		return mapped, nil
	}
	reason := fmt.Sprintf("no hugepages: %v", err)
	mapped, err = mapPages(length, os.Getpagesize(), node)
	if err != nil && node != AnyNode {
		reason += fmt.Sprintf("; no memory on NUMA node %d: %v", node, err)
		mapped, err = mapPages(length, os.Getpagesize(), AnyNode)
	}
	if err != nil {
		return memory{}, fmt.Errorf("slot pool of %d bytes: %w", length, err)
	}
	mapped.reason = strings.TrimSuffix(reason+"; "+mapped.reason, "; ")
	return mapped, nil
}

func mapPages(length, pageBytes, node int) (memory, error) {
	length = (length + pageBytes - 1) / pageBytes * pageBytes
	flags := unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	if pageBytes == HugepageBytes {
		flags |= unix.MAP_HUGETLB | unix.MAP_HUGE_2MB
	}
	bytes, err := unix.Mmap(-1, 0, length, unix.PROT_READ|unix.PROT_WRITE, flags)
	if err != nil {
		return memory{}, explainShortage(err, length, pageBytes)
	}
	mapped := memory{bytes: bytes, pageBytes: pageBytes, node: node}
	if err := mapped.populate(); err != nil {
		return memory{}, errors.Join(explainShortage(err, length, pageBytes), mapped.unmap())
	}
	return mapped, nil
}

// populate binds before the first touch, and touches here, where a shortage is an error and not a SIGBUS later.
// Memory that cannot be bound is taken from any node, with the reason.
func (m *memory) populate() error {
	if m.node != AnyNode {
		if err := numa.Bind(m.bytes, uint32(m.node)); err != nil {
			m.node, m.reason = AnyNode, err.Error()
		}
	}
	return unix.Madvise(m.bytes, unix.MADV_POPULATE_WRITE)
}

func explainShortage(err error, length, pageBytes int) error {
	if pageBytes != HugepageBytes || !errors.Is(err, unix.ENOMEM) && !errors.Is(err, unix.EFAULT) {
		return err
	}
	return fmt.Errorf("%d free pages of 2 MiB are needed, set vm.nr_hugepages: %w", length/pageBytes, err)
}

func (m *memory) unmap() error {
	return unix.Munmap(m.bytes)
}
