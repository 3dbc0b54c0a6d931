package xdp

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// DefaultFailSafe keeps a node reachable and in its cluster whatever the rules say: SSH, the Kubernetes API, etcd and
// kubelet on the node itself, their replies where the node is the client, and DNS replies. DHCP, ARP and neighbour
// discovery pass without being listed.
const DefaultFailSafe = "tcp/22,tcp/6443,tcp/2379-2380,tcp/10250," +
	"reply:tcp/22,reply:tcp/6443,reply:tcp/2379-2380,reply:tcp/10250,reply:tcp/53,reply:udp/53"

const portsPerWord = 8 // as in bpf/guard.c

// FailSafe are ports that always pass.
type FailSafe []FailSafeRange

// FailSafeRange is a range of ports of one protocol.
type FailSafeRange struct {
	// Reply means packets from these ports to ports from 1024 up; over TCP, not the first of a connection.
	Reply    bool
	Protocol string // "tcp" or "udp"
	First    uint16
	Last     uint16
}

// String is the range as ParseFailSafe takes it.
func (r FailSafeRange) String() string {
	text := fmt.Sprintf("%s/%d", r.Protocol, r.First)
	if r.Last != r.First {
		text = fmt.Sprintf("%s-%d", text, r.Last)
	}
	if r.Reply {
		return "reply:" + text
	}
	return text
}

// ParseFailSafe reads a list as in DefaultFailSafe; empty: none.
func ParseFailSafe(list string) (FailSafe, error) {
	var result FailSafe
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		parsed, err := parseFailSafeRange(word)
		if err != nil {
			return nil, fmt.Errorf("fail-safe ports %q: %w: write for example tcp/22, udp/5000-5010 or reply:udp/53", word, err)
		}
		result = append(result, parsed)
	}
	return result, nil
}

func parseFailSafeRange(word string) (FailSafeRange, error) {
	rest, reply := strings.CutPrefix(word, "reply:")
	protocol, ports, _ := strings.Cut(rest, "/")
	if protocol != "tcp" && protocol != "udp" {
		return FailSafeRange{}, fmt.Errorf("unknown protocol %q", protocol)
	}
	low, high, isRange := strings.Cut(ports, "-")
	if !isRange {
		high = low
	}
	first, firstErr := strconv.ParseUint(low, 10, 16)
	last, lastErr := strconv.ParseUint(high, 10, 16)
	if firstErr != nil || lastErr != nil || first == 0 || first > last {
		return FailSafeRange{}, fmt.Errorf("bad ports %q", ports)
	}
	return FailSafeRange{Reply: reply, Protocol: protocol, First: uint16(first), Last: uint16(last)}, nil
}

func (r FailSafeRange) flag() guardPortFlag {
	switch {
	case r.Protocol == "tcp" && r.Reply:
		return guardPortFlagPORT_TCP_REPLY
	case r.Protocol == "tcp":
		return guardPortFlagPORT_TCP
	case r.Reply:
		return guardPortFlagPORT_UDP_REPLY
	default:
		return guardPortFlagPORT_UDP
	}
}

func (f FailSafe) write(ports *ebpf.Map) error {
	words := map[uint32]uint64{}
	for _, ports := range f {
		for port := uint32(ports.First); port <= uint32(ports.Last); port++ {
			words[port/portsPerWord] |= uint64(ports.flag()) << (port % portsPerWord * 8)
		}
	}
	for word, flags := range words {
		if err := ports.Put(word, flags); err != nil {
			return fmt.Errorf("write the fail-safe ports from %d: %w", word*portsPerWord, err)
		}
	}
	return nil
}
