// Package guard keeps the node's rules: it checks a revision, compiles it for the kernel, and applies what differs as
// one step. It serves guard.v1.
package guard

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"triptych.dev/go-backend/internal/xdp"
)

// Limits of what one rule may say.
const (
	maxOwner   = 64
	maxComment = 256
	maxRate    = 10_000_000
	tcp        = 6
	udp        = 17
)

var idPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// PortRange is a range of destination ports.
type PortRange struct {
	First, Last uint16
}

// RateLimit is a token bucket per source; a rate of 0 is no limit.
type RateLimit struct {
	PacketsPerSecond, PacketsBurst, SynsPerSecond, SynsBurst uint32
}

// Match is which packets a rule is about. Comparable.
type Match struct {
	Prefix   netip.Prefix // of the source
	Protocol uint8        // 0: any
	// Ports are sorted; unused ones are empty, with First above Last. All empty: any port.
	Ports [xdp.PortRanges]PortRange
}

// Effect is everything about a rule that the kernel must know. Comparable.
type Effect struct {
	Match
	Action    uint8 // xdp.ActionAllow, ...
	Limit     RateLimit
	CountOnly bool
}

// Rule is one rule of a revision.
type Rule struct {
	ID string
	Effect
	ExpiresAt time.Time // zero: never
	Owner     string
	Comment   string
}

var noPorts = emptyRanges()

func emptyRanges() (ranges [xdp.PortRanges]PortRange) {
	for i := range ranges {
		ranges[i] = PortRange{First: 0xffff, Last: 0}
	}
	return ranges
}

// unconditional tells whether a rule is about every packet of its prefix.
func (e Effect) unconditional() bool {
	return e.Protocol == 0 && e.Ports == noPorts
}

// final tells whether nothing behind the rule can matter to its prefix.
func (e Effect) final() bool {
	return e.unconditional() && !e.CountOnly
}

// simple tells whether the kernel needs to know nothing but the action.
func (e Effect) simple() bool {
	return e.final() && e.Action != xdp.ActionRate
}

func (r *Rule) expired(now time.Time) bool {
	return !r.ExpiresAt.IsZero() && !now.Before(r.ExpiresAt)
}

// check tells what is wrong with a rule, without naming it.
func (r *Rule) check() error {
	switch {
	case !idPattern.MatchString(r.ID):
		return errors.New("its id must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -")
	case len(r.Owner) > maxOwner:
		return fmt.Errorf("its owner has more than %d characters", maxOwner)
	case len(r.Comment) > maxComment:
		return fmt.Errorf("its comment has more than %d characters", maxComment)
	case r.Ports != noPorts && r.Protocol != tcp && r.Protocol != udp:
		return errors.New("ports need protocol 6 (TCP) or 17 (UDP)")
	case r.Action < xdp.ActionAllow || r.Action > xdp.ActionRate:
		return errors.New("its action must be allow, deny or rate")
	case r.Action != xdp.ActionRate && r.Limit != RateLimit{}:
		return errors.New("only a rate rule has a limit")
	case r.Action == xdp.ActionRate && r.Limit.PacketsPerSecond == 0 && r.Limit.SynsPerSecond == 0:
		return errors.New("a rate rule needs packets_per_second or syns_per_second")
	}
	return r.Limit.check()
}

func (l RateLimit) check() error {
	if err := checkRate("packets", l.PacketsPerSecond, l.PacketsBurst); err != nil {
		return err
	}
	return checkRate("syns", l.SynsPerSecond, l.SynsBurst)
}

func checkRate(name string, rate, burst uint32) error {
	switch {
	case rate > maxRate:
		return fmt.Errorf("%s_per_second is above %d", name, maxRate)
	case burst > maxRate:
		return fmt.Errorf("%s_burst is above %d", name, maxRate)
	case rate == 0 && burst != 0:
		return fmt.Errorf("%s_burst needs %s_per_second", name, name)
	case burst != 0 && burst < rate/100:
		return fmt.Errorf("%s_burst must be at least a hundredth of %s_per_second", name, name)
	}
	return nil
}

// kernel is the limit in the kernel's terms: times instead of rates.
func (l RateLimit) kernel() xdp.Limit {
	packets, packetTolerance := bucket(l.PacketsPerSecond, l.PacketsBurst)
	syns, synTolerance := bucket(l.SynsPerSecond, l.SynsBurst)
	return xdp.Limit{
		PacketInterval: packets, PacketTolerance: packetTolerance, SynInterval: syns, SynTolerance: synTolerance,
	}
}

func bucket(rate, burst uint32) (interval, tolerance uint64) {
	if rate == 0 {
		return 0, 0
	}
	if burst == 0 {
		burst = rate
	}
	interval = uint64(time.Second) / uint64(rate)
	return interval, interval * uint64(burst-1)
}

// parsePrefix reads "192.0.2.0/24", or a single address.
func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		address, addressErr := netip.ParseAddr(text)
		if addressErr != nil || address.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("its prefix %q is none: write for example 192.0.2.0/24 or 2001:db8::/32", text)
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	if prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("its prefix %q is an IPv4 address inside IPv6: write it as IPv4", text)
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, fmt.Errorf("its prefix %q has bits beyond its length: did you mean %s?", text, prefix.Masked())
	}
	return prefix, nil
}

// newPorts sorts ranges and fills the rest with empty ones.
func newPorts(ranges []PortRange) ([xdp.PortRanges]PortRange, error) {
	ports := noPorts
	if len(ranges) > len(ports) {
		return ports, fmt.Errorf("it has more than %d port ranges", len(ports))
	}
	copy(ports[:], ranges)
	slices.SortStableFunc(ports[:len(ranges)], func(a, b PortRange) int { return cmp.Compare(a.First, b.First) })
	return ports, nil
}

// comparePrefixes sorts IPv4 first, and every prefix right before those inside it.
func comparePrefixes(a, b netip.Prefix) int {
	if a.Addr().Is4() != b.Addr().Is4() {
		if a.Addr().Is4() {
			return -1
		}
		return 1
	}
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// covers tells whether all of b is in a.
func covers(a, b netip.Prefix) bool {
	return a.Bits() <= b.Bits() && a.Contains(b.Addr())
}
