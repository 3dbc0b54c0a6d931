// Package probe finds out whether a node can run the fast path and tells Kubernetes by labels.
package probe

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"triptych.dev/go-backend/internal/host"
)

// Mode is the best XDP mode the uplink takes.
type Mode string

// From best to worst.
const (
	ModeNative  Mode = "native"
	ModeGeneric Mode = "generic"
	ModeNone    Mode = "none"
)

// Need is what the fast path's pod asks of a node.
type Need struct {
	// Interface is a name, or xdp.Auto for the default route's.
	Interface string
	// Hugepages are the bytes in 2 MiB pages that the pod requests.
	Hugepages uint64
	// Minimum is the worst XDP mode to accept: ModeNative or ModeGeneric.
	Minimum Mode
}

// Facts are what the node can do, whatever is asked of it.
type Facts struct {
	Node        string  `json:"node"`
	Kernel      string  `json:"kernel"`
	Uplink      Uplink  `json:"uplink"`
	UplinkError string  `json:"uplink_error,omitempty"`
	XDP         Finding `json:"kernel_xdp"`
	AFXDP       Finding `json:"kernel_af_xdp"`
	Hugepages   []Pages `json:"hugepages"`
	NumaNodes   int     `json:"numa_nodes"`
}

// Pages are the hugepages of one size.
type Pages struct {
	SizeBytes uint64 `json:"size_bytes"`
	Total     uint64 `json:"total"`
	Free      uint64 `json:"free"`
	// OfferedBytes is what the kubelet lets pods request; nil where nobody asked the cluster.
	OfferedBytes *uint64 `json:"offered_bytes,omitempty"`
}

// Prober gathers facts; its sources can be replaced by tests.
type Prober struct {
	Root   fs.FS
	Uplink func(root fs.FS, name string) (Uplink, error)
	XDP    func() Finding
	AFXDP  func() Finding
}

// NewProber reads the running machine.
func NewProber() *Prober {
	return &Prober{Root: os.DirFS("/"), Uplink: FindUplink, XDP: TryXDP, AFXDP: TryAFXDP}
}

// Gather asks the kernel. An error means that the machine's own files make no sense; what a node cannot do is no error.
func (p *Prober) Gather(node, interfaceName string) (Facts, error) {
	facts := Facts{Node: node, XDP: p.XDP(), AFXDP: p.AFXDP()}
	var err error
	if facts.Kernel, err = host.KernelRelease(); err != nil {
		return Facts{}, err
	}
	if facts.Uplink, err = p.Uplink(p.Root, interfaceName); err != nil {
		facts.UplinkError = err.Error()
	}
	machine := host.NewAt(p.Root)
	nodes, err := machine.NumaNodes()
	if err != nil {
		return Facts{}, err
	}
	facts.NumaNodes = len(nodes)
	pools, err := machine.HugepagePools()
	if err != nil {
		return Facts{}, err
	}
	for _, pool := range pools {
		facts.Hugepages = append(facts.Hugepages, Pages{SizeBytes: pool.PageSizeBytes, Total: pool.TotalPages, Free: pool.FreePages})
	}
	return facts, nil
}

// Report is a node's facts and what follows from them.
type Report struct {
	Facts
	Mode    Mode              `json:"xdp"`
	Sockets string            `json:"af_xdp"`
	Fits    bool              `json:"fits"`
	Reasons []string          `json:"reasons"`
	Labels  map[string]string `json:"labels"`
}

const pageSize2Mi = 2 << 20

// NewReport judges facts by a need.
//
// Neither free pages nor a program attached to the uplink count: the fast path's own pod takes the pages and attaches
// the program, and would lose the labels by which it was scheduled.
func NewReport(facts Facts, need Need) Report {
	report := Report{Facts: facts, Reasons: []string{}}
	var why string
	report.Mode, why = xdpMode(facts)
	report.Sockets = socketMode(facts, report.Mode)
	able := report.Mode == ModeNative || report.Mode == ModeGeneric && need.Minimum == ModeGeneric
	if !able {
		report.Reasons = append(report.Reasons, why)
	}
	pages := facts.pages(pageSize2Mi)
	shortage := pages.shortage(need.Hugepages)
	if shortage != "" {
		report.Reasons = append(report.Reasons, shortage)
	}
	report.Fits = able && shortage == ""
	report.Labels = report.labels(able, shortage == "")
	return report
}

// xdpMode is the best mode the uplink takes, and why it is not native.
func xdpMode(facts Facts) (Mode, string) {
	switch {
	case !facts.XDP.OK:
		return ModeNone, "the kernel refuses XDP: " + facts.XDP.Detail
	case facts.UplinkError != "":
		return ModeNone, "no uplink: " + facts.UplinkError
	case facts.Uplink.Refusal != "":
		return ModeNone, "no uplink: " + facts.Uplink.Refusal
	case facts.Uplink.Native:
		return ModeNative, ""
	case !facts.Uplink.FeaturesKnown:
		return ModeGeneric, fmt.Sprintf("native XDP is asked for and the driver %s of %s is not known to have it (kernel %s does not tell)",
			facts.Uplink.Driver, facts.Uplink.Interface, facts.Kernel)
	default:
		return ModeGeneric, fmt.Sprintf("native XDP is asked for and the driver %s of %s does not declare it",
			facts.Uplink.Driver, facts.Uplink.Interface)
	}
}

// socketMode is how packets reach an AF_XDP socket on the uplink.
func socketMode(facts Facts, mode Mode) string {
	switch {
	case mode == ModeNone || !facts.AFXDP.OK:
		return "none"
	case facts.Uplink.ZeroCopy:
		return "zero-copy"
	default:
		return "copy"
	}
}

func (f Facts) pages(size uint64) Pages {
	index := slices.IndexFunc(f.Hugepages, func(pages Pages) bool { return pages.SizeBytes == size })
	if index < 0 {
		return Pages{SizeBytes: size}
	}
	return f.Hugepages[index]
}

func (p Pages) bytes() uint64 {
	return p.Total * p.SizeBytes
}

// shortage tells why a pod cannot have so many bytes; empty if it can.
func (p Pages) shortage(bytes uint64) string {
	pages := (bytes + p.SizeBytes - 1) / p.SizeBytes
	switch {
	case p.bytes() < bytes:
		return fmt.Sprintf("%d hugepages of 2 MiB, %d needed: set vm.nr_hugepages to %d or more, then restart the kubelet", p.Total, pages, pages)
	case p.OfferedBytes != nil && *p.OfferedBytes < bytes:
		return fmt.Sprintf("the kernel has %d hugepages of 2 MiB but the kubelet offers %d: restart the kubelet, which counts them only at its start",
			p.Total, *p.OfferedBytes/p.SizeBytes)
	}
	return ""
}

// Verdict is one line: fits, or why not.
func (r Report) Verdict() string {
	if !r.Fits {
		return "does not fit: " + strings.Join(r.Reasons, "; ")
	}
	return fmt.Sprintf("fits: %s XDP on %s (%s), AF_XDP %s, %d hugepages of 2 MiB",
		r.Mode, r.Uplink.Interface, r.Uplink.Driver, r.Sockets, r.pages(pageSize2Mi).Total)
}
