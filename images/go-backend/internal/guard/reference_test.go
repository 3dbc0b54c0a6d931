package guard

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"triptych.dev/go-backend/internal/xdp"
)

// The reference says what the program shall do: written on its own from docs/operators/guard.md and the RFCs, on slices,
// with rules as people write them. It shares no code with the compiler of rules nor with the program.

type parsed struct {
	verdict     xdp.Verdict // already decided, or 0
	decided     bool
	class       string
	source      netip.Addr
	protocol    byte
	ports       bool
	sport       int
	dport       int
	syn, ack    bool
	neighbour   bool
	lengthOfAll int
}

type referenceBucket struct{ packets, syns time.Duration }

type referenceModel struct {
	rules    []*Rule
	policy   Policy
	failSafe xdp.FailSafe
	now      time.Duration
	buckets  map[string]*referenceBucket
	verdicts map[string]uint64 // "verdict class"
	matched  map[string]*xdp.RuleCounter
}

func newReference(rules []*Rule, policy Policy, failSafe xdp.FailSafe) *referenceModel {
	return &referenceModel{
		rules: rules, policy: policy, failSafe: failSafe, now: time.Hour, buckets: map[string]*referenceBucket{},
		verdicts: map[string]uint64{}, matched: map[string]*xdp.RuleCounter{},
	}
}

// judge counts a packet and says what happens to it.
func (m *referenceModel) judge(packet []byte) xdp.Verdict {
	read := parseReference(packet)
	verdict := m.verdict(read)
	m.verdicts[verdict.String()+" "+read.class]++
	return verdict
}

func (m *referenceModel) verdict(read parsed) xdp.Verdict {
	if read.decided {
		return read.verdict
	}
	if read.neighbour || m.isFailSafe(read) {
		return xdp.PassFailSafe
	}
	for _, action := range []uint8{xdp.ActionAllow, xdp.ActionDeny, xdp.ActionRate} {
		if verdict, decided := m.byRules(read, action); decided {
			return verdict
		}
	}
	if m.policy.Drop {
		return xdp.DropDefault
	}
	if verdict := m.take("policy", m.policy.SourceLimit, read); verdict != xdp.PassWithinLimit {
		return verdict
	}
	return xdp.PassDefault
}

func (m *referenceModel) isFailSafe(read parsed) bool {
	if !read.ports {
		return false
	}
	first := 546
	if read.source.Is4() {
		first = 67
	}
	isDHCP := func(port int) bool { return port == first || port == first+1 }
	if read.protocol == 17 && isDHCP(read.sport) && isDHCP(read.dport) {
		return true
	}
	name := map[byte]string{6: "tcp", 17: "udp"}[read.protocol]
	return slices.ContainsFunc(m.failSafe, func(ports xdp.FailSafeRange) bool {
		port := read.dport
		if ports.Reply {
			if read.dport < 1024 || read.protocol == 6 && !read.ack {
				return false
			}
			port = read.sport
		}
		return ports.Protocol == name && int(ports.First) <= port && port <= int(ports.Last)
	})
}

func (m *referenceModel) byRules(read parsed, action uint8) (xdp.Verdict, bool) {
	var matching []*Rule
	for _, rule := range m.rules {
		if rule.Action == action && rule.Prefix.Contains(read.source) && matchesReference(rule, read) {
			matching = append(matching, rule)
		}
	}
	slices.SortFunc(matching, func(a, b *Rule) int {
		specific := func(rule *Rule) int {
			score := rule.Prefix.Bits() * 4
			if rule.Protocol != 0 {
				score++
			}
			if rule.Ports != noPorts {
				score++
			}
			return score
		}
		if specific(a) != specific(b) {
			return specific(b) - specific(a)
		}
		return strings.Compare(a.ID, b.ID)
	})
	for _, rule := range matching {
		verdict := map[uint8]xdp.Verdict{xdp.ActionAllow: xdp.PassAllowed, xdp.ActionDeny: xdp.DropDenied}[action]
		if action == xdp.ActionRate {
			verdict = m.take(rule.ID, rule.Limit, read)
		}
		m.match(rule, read, action == xdp.ActionRate && verdict != xdp.PassWithinLimit)
		if !rule.CountOnly {
			return verdict, true
		}
	}
	return 0, false
}

func (m *referenceModel) match(rule *Rule, read parsed, over bool) {
	counter := m.matched[rule.ID]
	if counter == nil {
		counter = &xdp.RuleCounter{}
		m.matched[rule.ID] = counter
	}
	counter.Packets++
	counter.Bytes += uint64(read.lengthOfAll)
	if over {
		counter.OverLimit++
	}
}

func matchesReference(rule *Rule, read parsed) bool {
	if rule.Protocol != 0 && rule.Protocol != read.protocol {
		return false
	}
	if rule.Ports == noPorts {
		return true
	}
	return read.ports && slices.ContainsFunc(rule.Ports[:], func(ports PortRange) bool {
		return int(ports.First) <= read.dport && read.dport <= int(ports.Last)
	})
}

// take is a token bucket told as the time when it is full again.
func (m *referenceModel) take(name string, limit RateLimit, read parsed) xdp.Verdict {
	key := name + " " + sourceKey(read.source).String()
	bucket := m.buckets[key]
	if bucket == nil {
		bucket = &referenceBucket{}
		m.buckets[key] = bucket
	}
	cost := func(rate uint32) time.Duration { return time.Second / time.Duration(rate) }
	room := func(full time.Duration, rate, burst uint32) bool {
		if burst == 0 {
			burst = rate
		}
		return max(full, m.now)+cost(rate) <= m.now+time.Duration(burst)*cost(rate)
	}
	if limit.PacketsPerSecond > 0 && !room(bucket.packets, limit.PacketsPerSecond, limit.PacketsBurst) {
		return xdp.DropPacketLimit
	}
	if read.syn && limit.SynsPerSecond > 0 && !room(bucket.syns, limit.SynsPerSecond, limit.SynsBurst) {
		return xdp.DropSynLimit
	}
	if limit.PacketsPerSecond > 0 {
		bucket.packets = max(bucket.packets, m.now) + cost(limit.PacketsPerSecond)
	}
	if read.syn && limit.SynsPerSecond > 0 {
		bucket.syns = max(bucket.syns, m.now) + cost(limit.SynsPerSecond)
	}
	return xdp.PassWithinLimit
}

func parseReference(packet []byte) parsed {
	malformed := parsed{verdict: xdp.DropMalformed, decided: true, class: "other", lengthOfAll: len(packet)}
	etherType, rest := binary.BigEndian.Uint16(packet[12:]), packet[14:]
	for tags := 0; etherType == 0x8100 || etherType == 0x88a8; tags++ {
		if tags == 2 || len(rest) < 4 {
			return malformed
		}
		etherType, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	read := parsed{lengthOfAll: len(packet)}
	var good bool
	switch etherType {
	case 0x0800:
		good = read.ipv4(rest)
	case 0x86dd:
		good = read.ipv6(rest)
	default:
		class := "other"
		if etherType == 0x0806 {
			class = "arp"
		}
		return parsed{verdict: xdp.PassLink, decided: true, class: class, lengthOfAll: len(packet)}
	}
	if read.class == "" {
		read.class = "other_ip"
	}
	if !good {
		malformed.class = read.class
		return malformed
	}
	return read
}

func (p *parsed) ipv4(header []byte) bool {
	if len(header) < 20 || header[0]>>4 != 4 || header[0]&15 < 5 {
		return false
	}
	length, total := int(header[0]&15)*4, int(binary.BigEndian.Uint16(header[2:]))
	if total == 0 {
		total = len(header)
	}
	if total > len(header) || length > total {
		return false
	}
	p.source, p.protocol = netip.AddrFrom4([4]byte(header[12:16])), header[9]
	p.class = map[byte]string{1: "icmp", 6: "tcp", 17: "udp"}[p.protocol]
	if binary.BigEndian.Uint16(header[6:])&0x1fff != 0 {
		return true
	}
	return p.transport(header[length:total])
}

func (p *parsed) ipv6(header []byte) bool {
	if len(header) < 40 || header[0]>>4 != 6 {
		return false
	}
	rest, payload := header[40:], int(binary.BigEndian.Uint16(header[4:]))
	if payload > len(rest) {
		return false
	}
	if payload > 0 {
		rest = rest[:payload]
	}
	next, fragment, later := header[6], false, false
	for walked := 0; isExtension(next) && !later; walked++ {
		if walked == 8 || len(rest) < 8 {
			return false
		}
		length := (int(rest[1]) + 1) * 8
		switch next {
		case 44:
			length = 8
			later = later || binary.BigEndian.Uint16(rest[2:])>>3 != 0
			fragment = fragment || later || rest[3]&1 != 0
		case 51:
			length = (int(rest[1]) + 2) * 4
		}
		if length > len(rest) {
			return false
		}
		next, rest = rest[0], rest[length:]
	}
	p.source, p.protocol = netip.AddrFrom16([16]byte(header[8:24])), next
	p.class = map[byte]string{6: "tcp", 17: "udp", 58: "icmpv6"}[next]
	if later {
		return true
	}
	if next == 58 {
		if len(rest) < 4 {
			return false
		}
		p.neighbour = !fragment && header[7] == 255 && rest[0] >= 133 && rest[0] <= 137
	}
	return p.transport(rest)
}

func (p *parsed) transport(header []byte) bool {
	needed := map[byte]int{6: 20, 17: 8}[p.protocol]
	if len(header) < needed {
		return false
	}
	if needed == 0 {
		return true
	}
	p.ports = true
	p.sport, p.dport = int(binary.BigEndian.Uint16(header)), int(binary.BigEndian.Uint16(header[2:]))
	if p.protocol == 6 {
		p.ack = header[13]&0x10 != 0
		p.syn = header[13]&0x02 != 0 && !p.ack
	}
	return true
}

func isExtension(protocol byte) bool {
	return slices.Contains([]byte{0, 43, 44, 51, 60, 135}, protocol)
}
