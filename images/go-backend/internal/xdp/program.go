package xdp

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// protocols are the names of the counter classes, in the order of `enum protocol_class` in bpf/counters.c.
var protocols = [countersProtocolClassPROTOCOL_CLASSES]string{
	countersProtocolClassPROTOCOL_TCP:      "tcp",
	countersProtocolClassPROTOCOL_UDP:      "udp",
	countersProtocolClassPROTOCOL_ICMP:     "icmp",
	countersProtocolClassPROTOCOL_ICMPV6:   "icmpv6",
	countersProtocolClassPROTOCOL_ARP:      "arp",
	countersProtocolClassPROTOCOL_OTHER_IP: "other_ip",
	countersProtocolClassPROTOCOL_OTHER:    "other",
}

// Counter is the traffic of one protocol class, summed over CPUs since the program was loaded.
type Counter struct {
	Protocol string
	Packets  uint64
	Bytes    uint64
}

// loadSpec reads the compiled program; tests put a broken one in its place.
var loadSpec = loadCounters

// program is the counting program in the kernel, with its map.
type program struct {
	objects countersObjects
}

// loadProgram loads the counting program. With fragments, it takes packets spread over several pages,
// which some drivers demand on a large MTU and others refuse altogether.
func loadProgram(fragments bool) (*program, error) {
	spec, err := loadSpec()
	if err != nil {
		return nil, err
	}
	if !fragments {
		spec.Programs[countersProgCountPackets].Flags &^= unix.BPF_F_XDP_HAS_FRAGS
	}
	loaded := &program{}
	if err := spec.LoadAndAssign(&loaded.objects, nil); err != nil {
		return nil, explainLoad(err)
	}
	return loaded, nil
}

// explainLoad tells a verifier rejection, which is our fault, from a missing permission.
func explainLoad(err error) error {
	var rejection *ebpf.VerifierError
	switch {
	case errors.As(err, &rejection):
		return fmt.Errorf("the verifier rejected the XDP program: %w", err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("loading the XDP program needs the capabilities BPF and NET_ADMIN and a seccomp profile that allows bpf(): %w", err)
	default:
		return fmt.Errorf("load the XDP program: %w", err)
	}
}

// VerifierLog is all the verifier said about a program it rejected; empty for any other error.
func VerifierLog(err error) string {
	var rejection *ebpf.VerifierError
	if !errors.As(err, &rejection) {
		return ""
	}
	return fmt.Sprintf("%+v", rejection)
}

func (p *program) id() (uint32, error) {
	info, err := p.objects.CountPackets.Info()
	if err != nil {
		return 0, fmt.Errorf("read the XDP program's info: %w", err)
	}
	id, _ := info.ID()
	return uint32(id), nil
}

// counters reads all classes and sums them over CPUs.
func (p *program) counters() ([]Counter, error) {
	result := make([]Counter, len(protocols))
	var perCPU []countersCounter
	for class, protocol := range protocols {
		if err := p.objects.Counters.Lookup(uint32(class), &perCPU); err != nil {
			return nil, fmt.Errorf("read the %s counter: %w", protocol, err)
		}
		result[class].Protocol = protocol
		for _, counter := range perCPU {
			result[class].Packets += counter.Packets
			result[class].Bytes += counter.Bytes
		}
	}
	return result, nil
}

func (p *program) close() error {
	return p.objects.Close()
}
