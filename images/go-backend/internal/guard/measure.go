package guard

import (
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

	denied := func(i int) netip.Addr { return spread(10, i*(options.Prefixes/min(options.Prefixes, options.Sources))) }
	known := func(i int) netip.Addr { return spread(172, i) }
	generous := RateLimit{PacketsPerSecond: maxRate, PacketsBurst: maxRate, SynsPerSecond: maxRate}
	steps := []struct {
		name   string
		change *Change
		source func(int) netip.Addr
	}{
		{"no rules", nil, known},
		{"denied prefix", &Change{Number: 1, Upserts: deniedRules(options.Prefixes)}, denied},
		{"no prefix, no limit", nil, known},
		{"full guard: no prefix, within the limit", &Change{Number: 2, Base: 1, Policy: Policy{SourceLimit: generous}}, known},
		{"full guard: above the limit", &Change{Number: 3, Base: 2, Policy: Policy{SourceLimit: RateLimit{PacketsPerSecond: 1}}}, known},
	}
	for _, step := range steps {
		if step.change != nil {
			if _, err := guard.Apply(step.change); err != nil {
				return nil, err
			}
		}
		mean, err := measureSources(program, step.source, options)
		if err != nil {
			return nil, fmt.Errorf("measure %q: %w", step.name, err)
		}
		results = append(results, Measurement{Name: step.name, NanosecondsPerPacket: mean})
	}
	return results, nil
}

// spread numbers addresses below a first byte.
func spread(first byte, number int) netip.Addr {
	return netip.AddrFrom4([4]byte{first + byte(number>>20), byte(number >> 12), byte(number >> 4), byte(number << 4)})
}

func deniedRules(count int) []*Rule {
	rules := make([]*Rule, count)
	for i := range rules {
		rules[i] = &Rule{ID: fmt.Sprint("bench-", i), Effect: Effect{
			Match: Match{Prefix: netip.PrefixFrom(spread(10, i), 28), Ports: noPorts}, Action: xdp.ActionDeny,
		}}
	}
	return rules
}

// measureSources gives each source one turn: the kernel waits some milliseconds around every run of many packets.
func measureSources(program *xdp.Program, source func(int) netip.Addr, options MeasureOptions) (float64, error) {
	var total time.Duration
	each := max(options.Packets/options.Sources, 1)
	for number := range options.Sources {
		frame := packet.Ethernet(packet.TypeIPv4, packet.IPv4(source(number), packet.ProtocolUDP, packet.UDP(1000, 2000, make([]byte, 18)...)))
		mean, err := program.Measure(frame, each)
		if err != nil {
			return 0, err
		}
		total += mean
	}
	return float64(total.Nanoseconds()) / float64(options.Sources), nil
}
