package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"triptych.dev/go-backend/internal/xdp"
)

func bytesOf(pages uint64) *uint64 {
	bytes := pages * pageSize2Mi
	return &bytes
}

// able are the facts of a node that can do everything.
func able() Facts {
	return Facts{
		Node: "worker", Kernel: "6.18.0", NumaNodes: 2,
		Uplink: Uplink{
			Interface: "eth0", Driver: "ice", FeaturesKnown: true, Features: []string{"basic"}, Native: true, ZeroCopy: true,
		},
		XDP: Finding{OK: true}, AFXDP: Finding{OK: true},
		Hugepages: []Pages{{SizeBytes: pageSize2Mi, Total: 64, Free: 64}, {SizeBytes: 1 << 30}},
	}
}

var need = Need{Interface: xdp.Auto, Hugepages: 64 << 20, Minimum: ModeGeneric}

func TestReport(t *testing.T) {
	all := map[string]string{
		"triptych.dev/fast-path": "true", "triptych.dev/hugepages-2Mi": "true",
		"triptych.dev/xdp": "native", "triptych.dev/af-xdp": "zero-copy", "triptych.dev/numa-nodes": "2",
	}
	tests := []struct {
		name    string
		change  func(*Facts, *Need)
		labels  map[string]string // differences from all; empty: absent
		verdict string
	}{
		{"everything", func(*Facts, *Need) {}, nil, "fits: native XDP on eth0 (ice), AF_XDP zero-copy, 64 hugepages of 2 MiB"},
		{"no zero-copy", func(f *Facts, _ *Need) { f.Uplink.ZeroCopy = false },
			map[string]string{"triptych.dev/af-xdp": "copy"}, "fits: native XDP on eth0 (ice), AF_XDP copy"},
		{"no AF_XDP", func(f *Facts, _ *Need) { f.AFXDP = Finding{Detail: "NET_RAW"} },
			map[string]string{"triptych.dev/af-xdp": "none"}, "fits: native XDP on eth0 (ice), AF_XDP none"},
		{"driver without XDP", func(f *Facts, _ *Need) { f.Uplink.Native, f.Uplink.ZeroCopy = false, false },
			map[string]string{"triptych.dev/xdp": "generic", "triptych.dev/af-xdp": "copy"}, "fits: generic XDP on eth0"},
		{"driver without XDP, native needed",
			func(f *Facts, n *Need) { f.Uplink.Native, f.Uplink.ZeroCopy, n.Minimum = false, false, ModeNative },
			map[string]string{"triptych.dev/xdp": "generic", "triptych.dev/af-xdp": "copy", "triptych.dev/fast-path": ""},
			"does not fit: native XDP is asked for and the driver ice of eth0 does not declare it"},
		{"old kernel, unknown driver, native needed",
			func(f *Facts, n *Need) {
				f.Uplink = Uplink{Interface: "eth0", Driver: "e1000"}
				n.Minimum = ModeNative
			},
			map[string]string{"triptych.dev/xdp": "generic", "triptych.dev/af-xdp": "copy", "triptych.dev/fast-path": ""},
			"the driver e1000 of eth0 is not known to have it (kernel 6.18.0 does not tell)"},
		{"kernel without XDP", func(f *Facts, _ *Need) { f.XDP = Finding{Detail: "needs the capabilities BPF and NET_ADMIN"} },
			map[string]string{"triptych.dev/xdp": "none", "triptych.dev/af-xdp": "none", "triptych.dev/fast-path": ""},
			"does not fit: the kernel refuses XDP: needs the capabilities BPF and NET_ADMIN"},
		{"no default route", func(f *Facts, _ *Need) { f.Uplink, f.UplinkError = Uplink{}, "no default route" },
			map[string]string{"triptych.dev/xdp": "none", "triptych.dev/af-xdp": "none", "triptych.dev/fast-path": ""},
			"does not fit: no uplink: no default route"},
		{"container network", func(f *Facts, _ *Need) { f.Uplink.Refusal = "cni0 belongs to a container network: it is a bridge" },
			map[string]string{"triptych.dev/xdp": "none", "triptych.dev/af-xdp": "none", "triptych.dev/fast-path": ""},
			"does not fit: no uplink: cni0 belongs to a container network"},
		{"too few pages", func(f *Facts, _ *Need) { f.Hugepages[0].Total = 31 },
			map[string]string{"triptych.dev/hugepages-2Mi": ""},
			"does not fit: 31 hugepages of 2 MiB, 32 needed: set vm.nr_hugepages to 32 or more, then restart the kubelet"},
		{"exactly enough pages", func(f *Facts, _ *Need) { f.Hugepages[0].Total = 32 }, nil, "fits: "},
		{"pages in use", func(f *Facts, _ *Need) { f.Hugepages[0].Free = 0 }, nil, "fits: "},
		{"no hugepages at all", func(f *Facts, _ *Need) { f.Hugepages = nil },
			map[string]string{"triptych.dev/hugepages-2Mi": ""}, "does not fit: 0 hugepages of 2 MiB, 32 needed"},
		{"kubelet started too early", func(f *Facts, _ *Need) { f.Hugepages[0].OfferedBytes = bytesOf(0) },
			map[string]string{"triptych.dev/hugepages-2Mi": ""},
			"does not fit: the kernel has 64 hugepages of 2 MiB but the kubelet offers 0: restart the kubelet"},
		{"kubelet offers just enough", func(f *Facts, _ *Need) { f.Hugepages[0].OfferedBytes = bytesOf(32) }, nil, "fits: "},
		{"kubelet offers one too few", func(f *Facts, _ *Need) { f.Hugepages[0].OfferedBytes = bytesOf(31) },
			map[string]string{"triptych.dev/hugepages-2Mi": ""}, "but the kubelet offers 31"},
		{"large pages, too", func(f *Facts, _ *Need) { f.Hugepages[1].Total = 2 },
			map[string]string{"triptych.dev/hugepages-1Gi": "true"}, "fits: "},
		{"two faults", func(f *Facts, _ *Need) { f.Hugepages, f.UplinkError = nil, "no default route" },
			map[string]string{"triptych.dev/hugepages-2Mi": "", "triptych.dev/fast-path": "", "triptych.dev/xdp": "none", "triptych.dev/af-xdp": "none"},
			"does not fit: no uplink: no default route; 0 hugepages of 2 MiB"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			facts, need := able(), need
			test.change(&facts, &need)
			report := NewReport(facts, need)
			labels := maps.Clone(all)
			maps.Copy(labels, test.labels)
			maps.DeleteFunc(labels, func(_, value string) bool { return value == "" })
			if !maps.Equal(report.Labels, labels) {
				t.Errorf("labels %v, want %v", report.Labels, labels)
			}
			if !strings.Contains(report.Verdict(), test.verdict) || strings.Contains(report.Verdict(), "\n") {
				t.Errorf("verdict %q, want one line with %q", report.Verdict(), test.verdict)
			}
			if report.Fits != strings.HasPrefix(report.Verdict(), "fits: ") {
				t.Errorf("fits is %v beside %q", report.Fits, report.Verdict())
			}
		})
	}
}

// twoNodes is the sysfs of a machine with two memory nodes.
func twoNodes() fstest.MapFS {
	tree := fstest.MapFS{}
	for name, text := range map[string]string{
		"sys/devices/system/node/node0/cpulist":                   "0-3",
		"sys/devices/system/node/node0/meminfo":                   "Node 0 MemTotal: 1024 kB",
		"sys/devices/system/node/node1/cpulist":                   "4-7",
		"sys/devices/system/node/node1/meminfo":                   "Node 1 MemTotal: 1024 kB",
		"sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages":   "64",
		"sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "60",
	} {
		tree[name] = &fstest.MapFile{Data: []byte(text + "\n")}
	}
	return tree
}

func proberAt(root fs.FS, uplink Uplink, err error) *Prober {
	works := func() Finding { return Finding{OK: true} }
	return &Prober{Root: root, XDP: works, AFXDP: works, Uplink: func(fs.FS, string) (Uplink, error) { return uplink, err }}
}

func TestGather(t *testing.T) {
	facts, err := proberAt(twoNodes(), able().Uplink, nil).Gather("worker", xdp.Auto)
	if err != nil || facts.NumaNodes != 2 || facts.Node != "worker" || facts.Kernel == "" {
		t.Fatalf("facts %+v, %v", facts, err)
	}
	if want := (Pages{SizeBytes: pageSize2Mi, Total: 64, Free: 60}); len(facts.Hugepages) != 1 || facts.Hugepages[0] != want {
		t.Errorf("hugepages %+v, want %+v", facts.Hugepages, want)
	}
	facts, err = proberAt(twoNodes(), Uplink{}, errors.New("no default route")).Gather("worker", xdp.Auto)
	if err != nil || facts.UplinkError != "no default route" {
		t.Errorf("a node without uplink: %+v, %v", facts, err)
	}
	broken := twoNodes()
	broken["sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"] = &fstest.MapFile{Data: []byte("many")}
	if _, err := proberAt(broken, able().Uplink, nil).Gather("worker", xdp.Auto); err == nil || !strings.Contains(err.Error(), "hugepages-2048kB") {
		t.Errorf("error %v", err)
	}
}

func TestPrint(t *testing.T) {
	report := NewReport(able(), need)
	var table, document bytes.Buffer
	if err := errors.Join(report.PrintTable(&table), report.PrintJSON(&document)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if last := lines[len(lines)-1]; last != "worker "+report.Verdict() {
		t.Errorf("last line %q", last)
	}
	var read struct {
		Verdict string            `json:"verdict"`
		Fits    bool              `json:"fits"`
		XDP     string            `json:"xdp"`
		Labels  map[string]string `json:"labels"`
	}
	if err := json.Unmarshal(document.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Verdict != report.Verdict() || !read.Fits || read.XDP != "native" || !maps.Equal(read.Labels, report.Labels) {
		t.Errorf("JSON %+v", read)
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "64Mi": 64 << 20, "1Gi": 1 << 30, "4Ki": 4096, "2097152": 2 << 20} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "Mi", "-1Mi", "1.5Gi", "64M", "99999999Ti", "many"} {
		if got, err := ParseBytes(text); err == nil || !strings.Contains(err.Error(), "64Mi") {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for bytes, want := range map[uint64]string{64 << 10: "64Ki", 2 << 20: "2Mi", 32 << 20: "32Mi", 1 << 30: "1Gi", 16 << 30: "16Gi"} {
		if got := sizeName(bytes); got != want {
			t.Errorf("%d: %s, want %s", bytes, got, want)
		}
	}
}
