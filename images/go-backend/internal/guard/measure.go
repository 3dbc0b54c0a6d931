package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"triptych.dev/go-backend/internal/packet"
	"triptych.dev/go-backend/internal/xdp"
)

// MeasureOptions are how large and how long a measurement is.
type MeasureOptions struct {
	Prefixes int // denied ones, IPv4
	Sources  int // that packets come from in turn
	Packets  int // judged for each figure
}

// Measurement is the mean time of one way through the program.
type Measurement struct {
	Name                 string  `json:"name"`
	NanosecondsPerPacket float64 `json:"nanoseconds_per_packet"`
}

// Measure runs the program in the kernel, attached nowhere, on small UDP packets.
func Measure(options MeasureOptions) (results []Measurement, err error) {
	if options.Prefixes < 1 || options.Prefixes > 1<<20 || options.Sources < 1 || options.Sources > 1<<16 || options.Packets < 1 {
		return nil, errors.New("a measurement needs 1 to 1048576 prefixes, 1 to 65536 sources and packets")
	}
	program, err := xdp.Load(xdp.LoadOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	tables := program.Tables()
	defer func() { err = errors.Join(err, tables.Close()) }()
	guard := New(tables, nil)

	generous := RateLimit{PacketsPerSecond: maxRate, PacketsBurst: maxRate, SynsPerSecond: maxRate}
	steps := []struct {
		name   string
		change *Change
		source netip.Addr // the first one
		all    bool       // every packet from another source
	}{
		{"no rules", nil, besideFirst, false},
		{"denied prefix", &Change{Number: 1, Upserts: deniedRules(options.Prefixes)}, firstDenied, false},
		{"denied prefix, every packet from another one", nil, firstDenied, true},
		{"no prefix, no limit", nil, besideFirst, false},
		{"no prefix, no limit, every packet from another source", nil, besideFirst, true},
		{"full guard: no prefix, within the limit", &Change{Number: 2, Base: 1, Policy: Policy{SourceLimit: generous}}, besideFirst, false},
		{"full guard: within the limit, every packet from another source", nil, besideFirst, true},
		{"full guard: above the limit", &Change{Number: 3, Base: 2, Policy: Policy{SourceLimit: RateLimit{PacketsPerSecond: 1}}}, besideFirst, false},
	}
	for _, step := range steps {
		if step.change != nil {
			if _, err := guard.Apply(step.change); err != nil {
				return nil, err
			}
		}
		mean, err := measureStep(program, step.source, step.all, options)
		if err != nil {
			return nil, fmt.Errorf("measure %q: %w", step.name, err)
		}
		results = append(results, Measurement{Name: step.name, NanosecondsPerPacket: mean})
	}
	idle, err := xdp.MeasureIdle(smallPacket(besideFirst), options.Packets)
	if err != nil {
		return nil, fmt.Errorf("measure the kernel's part: %w", err)
	}
	return append(results, Measurement{Name: "of that the kernel's own part", NanosecondsPerPacket: float64(idle)}), nil
}

// Denied are the lower halves of adjacent prefixes of 28 bits. Sources that are not denied lie in the upper halves: to
// find that nothing applies to them takes the longest way through the prefixes, as far as to a denied one.
var firstDenied, besideFirst = netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("10.0.0.8")

const apart = 16

// numbered is an address so many places behind a first one.
func numbered(first netip.Addr, number int) netip.Addr {
	bytes := first.As4()
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(bytes[:])+uint32(number*apart))))
}

func deniedRules(count int) []*Rule {
	rules := make([]*Rule, count)
	for i := range rules {
		rules[i] = &Rule{ID: fmt.Sprint("bench-", i), Effect: Effect{
			Match: Match{Prefix: netip.PrefixFrom(numbered(firstDenied, i), 29), Ports: noPorts}, Action: xdp.ActionDeny,
		}}
	}
	return rules
}

func smallPacket(source netip.Addr) []byte {
	return packet.Ethernet(packet.TypeIPv4, packet.IPv4(source, packet.ProtocolUDP, packet.UDP(1000, 2000, make([]byte, 18)...)))
}

func measureStep(program *xdp.Program, first netip.Addr, all bool, options MeasureOptions) (float64, error) {
	if !all {
		return measureSources(program, first, options)
	}
	mean, err := program.MeasureSources(smallPacket(first), sourcesFrom(first, options.Prefixes), options.Packets)
	return float64(mean.Nanoseconds()), err
}

func sourcesFrom(first netip.Addr, count int) xdp.Sources {
	bytes := first.As4()
	return xdp.Sources{First: binary.BigEndian.Uint32(bytes[:]), Distance: apart, Count: uint32(count)}
}

// measureSources gives each source one turn: the kernel waits some milliseconds around every run of many packets.
func measureSources(program *xdp.Program, first netip.Addr, options MeasureOptions) (float64, error) {
	var total time.Duration
	each := max(options.Packets/options.Sources, 1)
	for number := range options.Sources {
		mean, err := program.Measure(smallPacket(numbered(first, number*(options.Prefixes/min(options.Prefixes, options.Sources)))), each)
		if err != nil {
			return 0, err
		}
		total += mean
	}
	return float64(total.Nanoseconds()) / float64(options.Sources), nil
}
