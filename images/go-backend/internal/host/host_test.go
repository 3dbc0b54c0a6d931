package host

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// numaTree is a sysfs with one node per CPU list, node N holding N + 1 GiB.
func numaTree(cpuLists ...string) fstest.MapFS {
	tree := fstest.MapFS{"sys/devices/system/node/online": file("0\n"), "sys/devices/system/node/has_cpu": file("0\n")}
	for id, cpus := range cpuLists {
		directory := fmt.Sprintf("%s/node%d/", numaPath, id)
		tree[directory+"cpulist"] = file(cpus + "\n")
		tree[directory+"meminfo"] = file(fmt.Sprintf(
			"Node %d MemTotal:       %d kB\nNode %d MemFree:        1 kB\n", id, (id+1)<<20, id))
	}
	return tree
}

func file(text string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(text)}
}

func TestNumaNodes(t *testing.T) {
	twelve := make([]string, 12)
	for _, cpuLists := range [][]string{
		{"0-1"}, {"0-3,8-11", "4-7,12-15"}, {"0-7", "8-15", "16-23", ""}, twelve,
	} {
		t.Run(fmt.Sprint(len(cpuLists)), func(t *testing.T) {
			nodes, err := (&Host{root: numaTree(cpuLists...)}).NumaNodes()
			if err != nil {
				t.Fatal(err)
			}
			want := make([]NumaNode, len(cpuLists))
			for id, cpus := range cpuLists {
				want[id] = NumaNode{ID: uint32(id), CPUs: cpus, MemoryBytes: uint64(id+1) << 30}
			}
			if !slices.Equal(nodes, want) {
				t.Errorf("nodes %v, want %v", nodes, want)
			}
		})
	}
}

func TestKernelWithoutNuma(t *testing.T) {
	tree := fstest.MapFS{
		"sys/devices/system/cpu/online": file("0-3\n"),
		"proc/meminfo":                  file("MemTotal:        4096 kB\nMemFree: 1 kB\n"),
	}
	nodes, err := (&Host{root: tree}).NumaNodes()
	if want := []NumaNode{{CPUs: "0-3", MemoryBytes: 4 << 20}}; err != nil || !slices.Equal(nodes, want) {
		t.Errorf("nodes %v, %v, want %v", nodes, err, want)
	}
}

func TestHugepagePools(t *testing.T) {
	tree := fstest.MapFS{}
	for name, counts := range map[string][2]string{"hugepages-1048576kB": {"2", "1"}, "hugepages-2048kB": {"64", "60"}} {
		tree[hugepagePath+"/"+name+"/nr_hugepages"] = file(counts[0] + "\n")
		tree[hugepagePath+"/"+name+"/free_hugepages"] = file(counts[1] + "\n")
	}
	pools, err := (&Host{root: tree}).HugepagePools()
	want := []HugepagePool{
		{PageSizeBytes: 2 << 20, TotalPages: 64, FreePages: 60},
		{PageSizeBytes: 1 << 30, TotalPages: 2, FreePages: 1},
	}
	if err != nil || !slices.Equal(pools, want) {
		t.Errorf("pools %v, %v, want %v", pools, err, want)
	}
}

func TestNoHugepages(t *testing.T) {
	if pools, err := (&Host{root: fstest.MapFS{}}).HugepagePools(); err != nil || len(pools) != 0 {
		t.Errorf("pools %v, %v", pools, err)
	}
}

func TestBrokenFilesAreNamed(t *testing.T) {
	noMemory := numaTree("0")
	noMemory[numaPath+"/node0/meminfo"] = file("Node 0 MemFree: 1 kB\n")
	notANumber := fstest.MapFS{
		hugepagePath + "/hugepages-2048kB/nr_hugepages":   file("many"),
		hugepagePath + "/hugepages-2048kB/free_hugepages": file("0"),
	}
	_, memoryErr := (&Host{root: noMemory}).NumaNodes()
	_, pagesErr := (&Host{root: notANumber}).HugepagePools()
	for want, err := range map[string]error{"node0/meminfo": memoryErr, "hugepages-2048kB": pagesErr} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s", err, want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	machine := New()
	nodes, err := machine.NumaNodes()
	if err != nil || len(nodes) == 0 || nodes[0].CPUs == "" || nodes[0].MemoryBytes < 64<<20 {
		t.Errorf("nodes %v, %v", nodes, err)
	}
	if _, err := machine.HugepagePools(); err != nil {
		t.Error(err)
	}
	release, err := KernelRelease()
	want, readErr := fs.ReadFile(machine.root, "proc/sys/kernel/osrelease")
	if err != nil || readErr != nil || release != strings.TrimSpace(string(want)) {
		t.Errorf("release %q, %v, want %q, %v", release, err, want, readErr)
	}
}
