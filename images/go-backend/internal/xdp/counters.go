package xdp

import "fmt"

// protocols are the names of the counter classes, in the order of `enum protocol_class` in bpf/packet.h.
var protocols = [guardProtocolClassPROTOCOL_CLASSES]string{
	guardProtocolClassPROTOCOL_TCP:      "tcp",
	guardProtocolClassPROTOCOL_UDP:      "udp",
	guardProtocolClassPROTOCOL_ICMP:     "icmp",
	guardProtocolClassPROTOCOL_ICMPV6:   "icmpv6",
	guardProtocolClassPROTOCOL_ARP:      "arp",
	guardProtocolClassPROTOCOL_OTHER_IP: "other_ip",
	guardProtocolClassPROTOCOL_OTHER:    "other",
}

// Counter is the traffic of one protocol class, summed over CPUs since the program was loaded.
type Counter struct {
	Protocol string
	Packets  uint64
	Bytes    uint64
}

// VerdictCounter is the part of a protocol class that got one verdict.
type VerdictCounter struct {
	Verdict Verdict
	Counter
}

// VerdictCounters are one per verdict and protocol class, in a fixed order.
func (p *Program) VerdictCounters() ([]VerdictCounter, error) {
	result := make([]VerdictCounter, 0, len(verdictNames)*len(protocols))
	var perCPU []guardCounter
	for _, verdict := range Verdicts() {
		for class, protocol := range protocols {
			index := uint32(verdict)*uint32(len(protocols)) + uint32(class)
			if err := p.objects.Counters.Lookup(index, &perCPU); err != nil {
				return nil, fmt.Errorf("read the %s counter of %s: %w", verdict, protocol, err)
			}
			sum := VerdictCounter{Verdict: verdict, Counter: Counter{Protocol: protocol}}
			for _, counter := range perCPU {
				sum.Packets += counter.Packets
				sum.Bytes += counter.Bytes
			}
			result = append(result, sum)
		}
	}
	return result, nil
}

// Counters are one per protocol class, in a fixed order.
func (p *Program) Counters() ([]Counter, error) {
	verdicts, err := p.VerdictCounters()
	if err != nil {
		return nil, err
	}
	result := make([]Counter, len(protocols))
	for i, counter := range verdicts {
		sum := &result[i%len(protocols)]
		sum.Protocol = counter.Protocol
		sum.Packets += counter.Packets
		sum.Bytes += counter.Bytes
	}
	return result, nil
}
