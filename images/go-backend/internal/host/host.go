// Package host reads what a node offers: NUMA nodes, hugepages, kernel release.
package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Host reads from a file tree that holds `sys` and `proc`, so that tests can bring their own.
type Host struct {
	root fs.FS
}

// New reads the running machine.
func New() *Host {
	return NewAt(os.DirFS("/"))
}

// NewAt reads a file tree that holds `sys` and `proc`.
func NewAt(root fs.FS) *Host {
	return &Host{root: root}
}

// NumaNode is one memory node with its CPUs.
type NumaNode struct {
	ID          uint32
	CPUs        string // kernel list format, for example "0-3,8"; empty for memory without CPUs
	MemoryBytes uint64
}

// HugepagePool is the node-wide pool of one page size.
type HugepagePool struct {
	PageSizeBytes uint64
	TotalPages    uint64
	FreePages     uint64
}

const (
	numaPath     = "sys/devices/system/node"
	hugepagePath = "sys/kernel/mm/hugepages"
)

// NumaNodes lists the nodes by number. A kernel without NUMA counts as one node.
func (h *Host) NumaNodes() ([]NumaNode, error) {
	directories, err := fs.Glob(h.root, path.Join(numaPath, "node[0-9]*"))
	if err != nil {
		return nil, err
	}
	if len(directories) == 0 {
		return h.singleNode()
	}
	nodes := make([]NumaNode, len(directories))
	for i, directory := range directories {
		if nodes[i], err = h.numaNode(directory); err != nil {
			return nil, fmt.Errorf("read /%s: %w", directory, err)
		}
	}
	slices.SortFunc(nodes, func(a, b NumaNode) int { return int(a.ID) - int(b.ID) })
	return nodes, nil
}

func (h *Host) numaNode(directory string) (NumaNode, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(path.Base(directory), "node"), 10, 32)
	if err != nil {
		return NumaNode{}, err
	}
	return h.readNode(uint32(id), path.Join(directory, "cpulist"), path.Join(directory, "meminfo"))
}

func (h *Host) singleNode() ([]NumaNode, error) {
	node, err := h.readNode(0, "sys/devices/system/cpu/online", "proc/meminfo")
	if err != nil {
		return nil, err
	}
	return []NumaNode{node}, nil
}

func (h *Host) readNode(id uint32, cpuFile, memoryFile string) (NumaNode, error) {
	cpus, err := h.text(cpuFile)
	if err != nil {
		return NumaNode{}, err
	}
	memory, err := h.memoryTotal(memoryFile)
	return NumaNode{ID: id, CPUs: cpus, MemoryBytes: memory}, err
}

// memoryTotal finds "MemTotal: <n> kB", which follows "Node <id>" in a node's own file.
func (h *Host) memoryTotal(file string) (uint64, error) {
	text, err := h.text(file)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut(text, "MemTotal:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0, fmt.Errorf("no MemTotal in /%s", file)
	}
	kibibytes, err := strconv.ParseUint(fields[0], 10, 64)
	return kibibytes * 1024, err
}

// HugepagePools lists the pools by page size, none where the kernel has no hugepages.
func (h *Host) HugepagePools() ([]HugepagePool, error) {
	entries, err := fs.ReadDir(h.root, hugepagePath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pools := make([]HugepagePool, len(entries))
	for i, entry := range entries {
		if pools[i], err = h.hugepagePool(entry.Name()); err != nil {
			return nil, fmt.Errorf("read /%s/%s: %w", hugepagePath, entry.Name(), err)
		}
	}
	slices.SortFunc(pools, func(a, b HugepagePool) int { return int(a.PageSizeBytes) - int(b.PageSizeBytes) })
	return pools, nil
}

// hugepagePool reads a directory named like "hugepages-2048kB".
func (h *Host) hugepagePool(name string) (HugepagePool, error) {
	var kibibytes uint64
	if _, err := fmt.Sscanf(name, "hugepages-%dkB", &kibibytes); err != nil {
		return HugepagePool{}, err
	}
	total, err := h.number(path.Join(hugepagePath, name, "nr_hugepages"))
	if err != nil {
		return HugepagePool{}, err
	}
	free, err := h.number(path.Join(hugepagePath, name, "free_hugepages"))
	return HugepagePool{PageSizeBytes: kibibytes * 1024, TotalPages: total, FreePages: free}, err
}

func (h *Host) number(file string) (uint64, error) {
	text, err := h.text(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

func (h *Host) text(file string) (string, error) {
	content, err := fs.ReadFile(h.root, file)
	return strings.TrimSpace(string(content)), err
}

// KernelRelease is what `uname -r` prints.
func KernelRelease() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}
