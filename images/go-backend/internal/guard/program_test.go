package guard

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"triptych.dev/go-backend/internal/packet"
	"triptych.dev/go-backend/internal/xdp"
)

// needRoot skips where capabilities are missing; nothing else may skip.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF and CAP_NET_ADMIN")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load fails the test on every error, a verifier rejection above all.
func load(t testing.TB, options xdp.LoadOptions) *xdp.Program {
	t.Helper()
	needRoot(t)
	program, err := xdp.Load(options)
	if err != nil {
		t.Fatalf("%v\n%s", err, xdp.VerifierLog(err))
	}
	t.Cleanup(func() { program.Close() })
	return program
}

func defaultFailSafe(t testing.TB) xdp.FailSafe {
	t.Helper()
	failSafe, err := xdp.ParseFailSafe(xdp.DefaultFailSafe)
	must(t, err)
	return failSafe
}

// bench is a program with rules, beside the reference with the same.
type bench struct {
	program   *xdp.Program
	guard     *Guard
	reference *referenceModel
}

func newBench(t testing.TB, policy Policy, rules ...*Rule) *bench {
	t.Helper()
	failSafe := defaultFailSafe(t)
	program := load(t, xdp.LoadOptions{FailSafe: failSafe, StopClock: true})
	guard := New(program.Tables(), nil)
	b := &bench{program: program, guard: guard, reference: newReference(rules, policy, failSafe)}
	must(t, program.SetClock(b.reference.now))
	_, err := guard.Apply(&Change{Number: 1, Policy: policy, Upserts: rules})
	must(t, err)
	return b
}

// later lets time go on for program and reference.
func (b *bench) later(t testing.TB, passed time.Duration) {
	t.Helper()
	b.reference.now += passed
	must(t, b.program.SetClock(b.reference.now))
}

// run gives one packet to both. Returns the verdict of the reference, with which the program's action agrees.
func (b *bench) run(t testing.TB, frame []byte) xdp.Verdict {
	t.Helper()
	want := b.reference.judge(frame)
	action, err := b.program.Run(frame)
	if err != nil {
		t.Fatalf("run % x: %v", frame, err)
	}
	if drops := action == 1; drops != want.Drops() || action != 1 && action != 2 {
		t.Fatalf("action %d, the reference says %s, for % x", action, want, frame)
	}
	return want
}

// check compares all counters.
func (b *bench) check(t testing.TB) {
	t.Helper()
	counters, err := b.program.VerdictCounters()
	must(t, err)
	got := map[string]uint64{}
	for _, counter := range counters {
		if counter.Packets > 0 {
			got[counter.Verdict.String()+" "+counter.Protocol] = counter.Packets
		}
	}
	if !maps.Equal(got, b.reference.verdicts) {
		t.Errorf("verdicts\n%v, want\n%v", got, b.reference.verdicts)
	}
	_, inForce := b.guard.Current()
	matched, err := b.guard.Counters(inForce)
	must(t, err)
	for i, rule := range inForce {
		want := b.reference.matched[rule.ID]
		if want == nil {
			want = &xdp.RuleCounter{}
		}
		if matched[i] != *want {
			t.Errorf("rule %s counted %+v, want %+v", rule.ID, matched[i], *want)
		}
	}
}

func rule(id, prefix string, action uint8, change ...func(*Rule)) *Rule {
	made := &Rule{ID: id, Effect: Effect{Match: Match{Prefix: netip.MustParsePrefix(prefix), Ports: noPorts}, Action: action}}
	for _, apply := range change {
		apply(made)
	}
	return made
}

func on(protocol uint8, ranges ...PortRange) func(*Rule) {
	return func(rule *Rule) { rule.Protocol = protocol; copy(rule.Ports[:], ranges) }
}

func limited(limit RateLimit) func(*Rule) { return func(rule *Rule) { rule.Limit = limit } }
func countOnly(rule *Rule)                { rule.CountOnly = true }

var (
	friend    = netip.MustParseAddr("198.51.100.7")
	enemy     = netip.MustParseAddr("203.0.113.9")
	stranger  = netip.MustParseAddr("192.0.2.77")
	friend6   = netip.MustParseAddr("2001:db8:1::7")
	enemy6    = netip.MustParseAddr("2001:db8:bad::9")
	stranger6 = netip.MustParseAddr("2001:db8:2::77")
)

func udp4(source netip.Addr, ports ...uint16) []byte {
	return packet.Ethernet(packet.TypeIPv4, packet.IPv4(source, 17, packet.UDP(ports[0], ports[1], 1, 2, 3, 4)))
}

func tcp4(source netip.Addr, sport, dport uint16, flags byte) []byte {
	return packet.Ethernet(packet.TypeIPv4, packet.IPv4(source, 6, packet.TCP(sport, dport, flags)))
}

func udp6(source netip.Addr, ports ...uint16) []byte {
	return packet.Ethernet(packet.TypeIPv6, packet.IPv6(source, 17, packet.UDP(ports[0], ports[1], 1, 2, 3, 4)))
}

func v6(source netip.Addr, next byte, payload ...[]byte) []byte {
	return packet.Ethernet(packet.TypeIPv6, packet.IPv6(source, next, payload...))
}

func v4(source netip.Addr, protocol byte, payload ...[]byte) []byte {
	return packet.Ethernet(packet.TypeIPv4, packet.IPv4(source, protocol, payload...))
}

// neighbour is an ICMPv6 message with a hop limit.
func neighbour(source netip.Addr, kind, hops byte) []byte {
	frame := v6(source, 58, packet.ICMPv6(kind))
	frame[14+7] = hops
	return frame
}

// chain is a number of destination option headers, each followed by another.
func chain(length int) []byte {
	return slices.Concat(slices.Repeat([][]byte{packet.Extension(60, 0)}, length)...)
}

func tagged(frame []byte, tags ...uint16) []byte {
	etherType := uint16(frame[12])<<8 | uint16(frame[13])
	body := frame[14:]
	for i := len(tags) - 1; i >= 0; i-- {
		body = slices.Concat(packet.VLAN(7, etherType), body)
		etherType = tags[i]
	}
	return packet.Ethernet(etherType, body)
}

// standardRules exercise every kind of rule.
func standardRules() []*Rule {
	web := PortRange{First: 443, Last: 443}
	high := PortRange{First: 8000, Last: 8010}
	return []*Rule{
		rule("allow-friend", "198.51.100.7/32", xdp.ActionAllow),
		rule("allow-web", "203.0.113.0/24", xdp.ActionAllow, on(6, web, high)),
		rule("deny-net", "203.0.113.0/24", xdp.ActionDeny),
		rule("deny-friends", "198.51.100.0/24", xdp.ActionDeny),
		rule("deny-mail", "192.0.2.0/24", xdp.ActionDeny, on(6, PortRange{First: 25, Last: 25})),
		rule("deny-icmp", "192.0.2.0/24", xdp.ActionDeny, on(1)),
		rule("count-all", "0.0.0.0/0", xdp.ActionDeny, countOnly),
		rule("rate-dns", "192.0.2.64/26", xdp.ActionRate, on(17, PortRange{First: 5353, Last: 5353}),
			limited(RateLimit{PacketsPerSecond: 10, PacketsBurst: 3})),
		rule("count-rate", "192.0.2.64/26", xdp.ActionRate, countOnly, limited(RateLimit{PacketsPerSecond: 10, PacketsBurst: 2})),
		rule("allow6", "2001:db8:1::/48", xdp.ActionAllow),
		rule("deny6", "2001:db8:bad::/48", xdp.ActionDeny),
		rule("rate6", "2001:db8:2::/48", xdp.ActionRate, limited(RateLimit{SynsPerSecond: 5, SynsBurst: 2})),
	}
}

var verdictCases = []struct {
	name  string
	frame []byte
	want  xdp.Verdict
}{
	{"stranger", udp4(stranger, 1000, 2000), xdp.PassDefault},
	{"denied prefix", udp4(enemy, 1000, 2000), xdp.DropDenied},
	{"just before the prefix", udp4(netip.MustParseAddr("203.0.112.255"), 1000, 2000), xdp.PassDefault},
	{"just behind the prefix", udp4(netip.MustParseAddr("203.0.114.0"), 1000, 2000), xdp.PassDefault},
	{"allowed inside a denied prefix", udp4(friend, 1000, 2000), xdp.PassAllowed},
	{"its neighbour", udp4(netip.MustParseAddr("198.51.100.8"), 1000, 2000), xdp.DropDenied},
	{"allowed port of a denied prefix", tcp4(enemy, 1000, 443, packet.FlagSYN), xdp.PassAllowed},
	{"second range, first port", tcp4(enemy, 1000, 8000, packet.FlagSYN), xdp.PassAllowed},
	{"second range, last port", tcp4(enemy, 1000, 8010, packet.FlagSYN), xdp.PassAllowed},
	{"the port before", tcp4(enemy, 1000, 7999, packet.FlagSYN), xdp.DropDenied},
	{"the port behind", tcp4(enemy, 1000, 8011, packet.FlagSYN), xdp.DropDenied},
	{"the port over UDP", udp4(enemy, 1000, 443), xdp.DropDenied},
	{"the port as source", tcp4(enemy, 443, 1000, packet.FlagSYN), xdp.DropDenied},
	{"denied port", tcp4(stranger, 1000, 25, packet.FlagSYN), xdp.DropDenied},
	{"denied port as a later fragment", packet.Ethernet(packet.TypeIPv4,
		packet.IPv4Fragment(5, false, packet.IPv4(stranger, 6, packet.TCP(1000, 25, 0)))), xdp.PassDefault},
	{"denied port as a first fragment", packet.Ethernet(packet.TypeIPv4,
		packet.IPv4Fragment(0, true, packet.IPv4(stranger, 6, packet.TCP(1000, 25, 0)))), xdp.DropDenied},
	{"denied prefix as a later fragment", packet.Ethernet(packet.TypeIPv4,
		packet.IPv4Fragment(5, false, packet.IPv4(enemy, 6, packet.TCP(1000, 443, 0)))), xdp.DropDenied},
	{"denied protocol", v4(stranger, 1, make([]byte, 8)), xdp.DropDenied},
	{"SSH", tcp4(enemy, 1000, 22, packet.FlagSYN), xdp.PassFailSafe},
	{"SSH over UDP", udp4(enemy, 1000, 22), xdp.DropDenied},
	{"next to SSH", tcp4(enemy, 1000, 23, packet.FlagSYN), xdp.DropDenied},
	{"Kubernetes API", tcp4(enemy, 1000, 6443, 0), xdp.PassFailSafe},
	{"etcd", tcp4(enemy, 1000, 2380, 0), xdp.PassFailSafe},
	{"behind etcd", tcp4(enemy, 1000, 2381, 0), xdp.DropDenied},
	{"kubelet", tcp4(enemy, 1000, 10250, 0), xdp.PassFailSafe},
	{"reply of an API server", tcp4(enemy, 6443, 40000, packet.FlagACK), xdp.PassFailSafe},
	{"no reply: SYN", tcp4(enemy, 6443, 40000, packet.FlagSYN), xdp.DropDenied},
	{"no reply: low port", tcp4(enemy, 6443, 1023, packet.FlagACK), xdp.DropDenied},
	{"DNS reply", udp4(enemy, 53, 40000), xdp.PassFailSafe},
	{"no DNS reply: low port", udp4(enemy, 53, 1023), xdp.DropDenied},
	{"DNS query", udp4(enemy, 40000, 53), xdp.DropDenied},
	{"DHCP answer", udp4(enemy, 67, 68), xdp.PassFailSafe},
	{"DHCP request", udp4(netip.IPv4Unspecified(), 68, 67), xdp.PassFailSafe},
	{"no DHCP", udp4(enemy, 1000, 68), xdp.DropDenied},
	{"DHCPv6", udp6(enemy6, 547, 546), xdp.PassFailSafe},
	{"DHCPv4 ports over IPv6", udp6(enemy6, 67, 68), xdp.DropDenied},
	{"neighbour solicitation", neighbour(enemy6, 135, 255), xdp.PassFailSafe},
	{"routed neighbour solicitation", neighbour(enemy6, 135, 254), xdp.DropDenied},
	{"router solicitation", neighbour(enemy6, 133, 255), xdp.PassFailSafe},
	{"redirect", neighbour(enemy6, 137, 255), xdp.PassFailSafe},
	{"echo", neighbour(enemy6, 128, 255), xdp.DropDenied},
	{"behind redirect", neighbour(enemy6, 138, 255), xdp.DropDenied},
	{"neighbour solicitation in fragments", v6(enemy6, 44, packet.Fragment(58, 0, true), packet.ICMPv6(135)), xdp.DropDenied},
	{"denied IPv6", udp6(enemy6, 1000, 2000), xdp.DropDenied},
	{"allowed IPv6", udp6(friend6, 1000, 2000), xdp.PassAllowed},
	{"rated IPv6", udp6(stranger6, 1000, 2000), xdp.PassWithinLimit},
	{"unknown IPv6", udp6(netip.MustParseAddr("2001:db8:3::1"), 1000, 2000), xdp.PassDefault},
	{"IPv6 SSH behind extension headers", v6(enemy6, 0, packet.Extension(60, 1), packet.Extension(6, 0), packet.TCP(9, 22, 2)), xdp.PassFailSafe},
	{"IPv6 SSH behind AH", v6(enemy6, 51, packet.Authentication(6, 4), packet.TCP(9, 22, 2)), xdp.PassFailSafe},
	{"IPv6 SSH as a first fragment", v6(enemy6, 44, packet.Fragment(6, 0, true), packet.TCP(9, 22, 2)), xdp.PassFailSafe},
	{"IPv6 SSH as a later fragment", v6(enemy6, 44, packet.Fragment(6, 1, true), packet.TCP(9, 22, 2)), xdp.DropDenied},
	{"eight extension headers", v6(friend6, 60, chain(7), packet.Extension(17, 0), packet.UDP(1, 2)), xdp.PassAllowed},
	{"nine extension headers", v6(friend6, 60, chain(8), packet.Extension(17, 0), packet.UDP(1, 2)), xdp.DropMalformed},
	{"extension header cut", v6(friend6, 0, []byte{60}), xdp.DropMalformed},
	{"extension header too long", v6(friend6, 0, packet.Extension(60, 9)[:16]), xdp.DropMalformed},
	{"IPv6 cut", v6(friend6, 17)[:53], xdp.DropMalformed},
	{"IPv6 shorter than it says", udp6(friend6, 1, 2)[:60], xdp.DropMalformed},
	{"ICMPv6 cut", v6(friend6, 58, []byte{135, 0, 0}), xdp.DropMalformed},
	{"IPv4 cut", udp4(friend, 1, 2)[:33], xdp.DropMalformed},
	{"IPv4 shorter than it says", udp4(friend, 1, 2)[:43], xdp.DropMalformed},
	{"IPv4 that says version 6", packet.Ethernet(packet.TypeIPv4, []byte{0x65}, packet.IPv4(friend, 17, packet.UDP(1, 2))[1:]), xdp.DropMalformed},
	{"IPv4 with a header too short", packet.Ethernet(packet.TypeIPv4, []byte{0x44}, packet.IPv4(friend, 17, packet.UDP(1, 2))[1:]), xdp.DropMalformed},
	{"UDP header cut", v4(friend, 17, make([]byte, 7)), xdp.DropMalformed},
	{"TCP header cut", v4(friend, 6, make([]byte, 19)), xdp.DropMalformed},
	{"TCP header cut in a first fragment", packet.Ethernet(packet.TypeIPv4,
		packet.IPv4Fragment(0, true, packet.IPv4(friend, 6, make([]byte, 16)))), xdp.DropMalformed},
	{"padding is no header", packet.Ethernet(packet.TypeIPv4, packet.IPv4(friend, 17), make([]byte, 26)), xdp.DropMalformed},
	{"options", packet.Ethernet(packet.TypeIPv4, packet.IPv4Options(enemy, 6, make([]byte, 12), packet.TCP(1, 22, 2))), xdp.PassFailSafe},
	{"one tag", tagged(udp4(enemy, 1, 2), packet.TypeVLAN), xdp.DropDenied},
	{"two tags", tagged(udp4(friend, 1, 2), packet.TypeQinQ, packet.TypeVLAN), xdp.PassAllowed},
	{"three tags", tagged(udp4(friend, 1, 2), packet.TypeQinQ, packet.TypeVLAN, packet.TypeVLAN), xdp.DropMalformed},
	{"tag cut", packet.Ethernet(packet.TypeVLAN, packet.VLAN(7, packet.TypeIPv4)[:3]), xdp.DropMalformed},
	{"tagged ARP", tagged(packet.Ethernet(packet.TypeARP, make([]byte, 28)), packet.TypeVLAN), xdp.PassLink},
	{"ARP", packet.Ethernet(packet.TypeARP, make([]byte, 28)), xdp.PassLink},
	{"LLDP", packet.Ethernet(0x88cc, make([]byte, 40)), xdp.PassLink},
	{"nothing but Ethernet", packet.Ethernet(0), xdp.PassLink},
	{"GRE", v4(enemy, 47, make([]byte, 8)), xdp.DropDenied},
	{"several pages", packet.Ethernet(packet.TypeIPv4, packet.IPv4(enemy, 17, packet.UDP(1, 2), make([]byte, 8000))), xdp.DropDenied},
}

func TestVerdicts(t *testing.T) {
	bench := newBench(t, Policy{}, standardRules()...)
	for _, test := range verdictCases {
		t.Run(test.name, func(t *testing.T) {
			if got := bench.run(t, test.frame); got != test.want {
				t.Errorf("the reference says %s, want %s", got, test.want)
			}
			bench.check(t)
		})
	}
}

func TestDefaultDrop(t *testing.T) {
	bench := newBench(t, Policy{Drop: true}, standardRules()...)
	for _, test := range verdictCases {
		want := test.want
		if want == xdp.PassDefault {
			want = xdp.DropDefault
		}
		if got := bench.run(t, test.frame); got != want {
			t.Errorf("%s: %s, want %s", test.name, got, want)
		}
	}
	bench.check(t)
}

func TestNoRevisionPassesEverything(t *testing.T) {
	program := load(t, xdp.LoadOptions{FailSafe: defaultFailSafe(t)})
	for _, test := range verdictCases {
		if action, err := program.Run(test.frame); err != nil || action != 2 {
			t.Errorf("%s: action %d, %v", test.name, action, err)
		}
	}
}

// TestBuckets spends tokens and waits for new ones.
func TestBuckets(t *testing.T) {
	bench := newBench(t, Policy{SourceLimit: RateLimit{PacketsPerSecond: 10, PacketsBurst: 4, SynsPerSecond: 2, SynsBurst: 1}},
		standardRules()...)
	dns, syn, ack := udp4(stranger, 9, 5353), tcp4(stranger, 9, 80, packet.FlagSYN), tcp4(stranger, 9, 80, packet.FlagACK)
	syn6 := v6(stranger6, 6, packet.TCP(9, 80, packet.FlagSYN))
	neighbour64 := v6(netip.MustParseAddr("2001:db8:2::78"), 6, packet.TCP(9, 80, packet.FlagSYN))
	const within, over, synOver = xdp.PassWithinLimit, xdp.DropPacketLimit, xdp.DropSynLimit
	steps := []struct {
		wait   time.Duration
		frames [][]byte
		want   []xdp.Verdict
	}{
		{0, [][]byte{dns, dns, dns, dns}, []xdp.Verdict{within, within, within, over}},
		{99 * time.Millisecond, [][]byte{dns}, []xdp.Verdict{over}},
		{time.Millisecond, [][]byte{dns, dns}, []xdp.Verdict{within, over}},
		{0, [][]byte{syn, syn, ack, ack, ack, ack},
			[]xdp.Verdict{xdp.PassDefault, synOver, xdp.PassDefault, xdp.PassDefault, xdp.PassDefault, over}},
		{time.Hour, [][]byte{dns, dns, dns, dns}, []xdp.Verdict{within, within, within, over}},
		{0, [][]byte{syn6, neighbour64, syn6}, []xdp.Verdict{within, within, synOver}},
	}
	for number, step := range steps {
		bench.later(t, step.wait)
		for i, frame := range step.frames {
			if got := bench.run(t, frame); got != step.want[i] {
				t.Errorf("step %d, packet %d: %s, want %s", number, i, got, step.want[i])
			}
		}
	}
	bench.check(t)
}

// TestManySources has more sources than the program remembers look-ups of, some of them one family's likeness of the
// other's, in turn and again.
func TestManySources(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	var rules []*Rule
	var sources []netip.Addr
	for number := range 20_000 {
		source := netip.AddrFrom4([4]byte{10, 0, byte(number >> 8), byte(number)})
		if number%2 == 0 {
			source = netip.AddrFrom16([16]byte{10, 0, byte(number >> 8), byte(number + number/2%2)})
		}
		sources = append(sources, source)
		if number%500 < 2 {
			rules = append(rules, rule(fmt.Sprint("deny-", number), netip.PrefixFrom(source, source.BitLen()).String(), xdp.ActionDeny))
		}
	}
	bench := newBench(t, Policy{}, rules...)
	for range 3 {
		random.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
		for _, source := range sources {
			frame := udp6
			if source.Is4() {
				frame = udp4
			}
			bench.run(t, frame(source, 1000, 2000))
		}
	}
	bench.check(t)
}

// randomRules overlap a lot; those that contradict each other are left out.
func randomRules(random *rand.Rand) ([]*Rule, Policy) {
	sources := []netip.Addr{friend, enemy, stranger, friend6, enemy6, stranger6}
	limit := func() RateLimit {
		return RateLimit{
			PacketsPerSecond: 1 + random.Uint32N(50), PacketsBurst: 1 + random.Uint32N(50),
			SynsPerSecond: 1 + random.Uint32N(50), SynsBurst: 1 + random.Uint32N(5),
		}
	}
	var rules []*Rule
	perPrefix := map[Match]bool{}
	for number := range random.IntN(40) {
		source := sources[random.IntN(len(sources))]
		bits := []int{0, 8, 24, 30, 32}[random.IntN(5)] * source.BitLen() / 32
		prefix, _ := source.Prefix(bits)
		made := rule(fmt.Sprintf("rule-%d", number), prefix.String(), uint8(1+random.IntN(3)))
		made.CountOnly = random.IntN(4) == 0
		if random.IntN(2) == 0 {
			made.Protocol = []uint8{1, 6, 17, 58}[random.IntN(4)]
		}
		if (made.Protocol == 6 || made.Protocol == 17) && random.IntN(2) == 0 {
			for i := range 1 + random.IntN(xdp.PortRanges) {
				first := uint16([]int{1, 22, 443, 2000, 5353, 8000}[random.IntN(6)])
				made.Ports[i] = PortRange{First: first, Last: first + uint16(random.IntN(20))}
			}
		}
		if made.Action == xdp.ActionRate {
			made.Limit = limit()
		}
		if !perPrefix[made.Match] {
			perPrefix[made.Match] = true
			rules = append(rules, made)
		}
	}
	return rules, Policy{Drop: random.IntN(2) == 0, SourceLimit: limit()}
}

// mutate cuts a frame, changes a few bytes and often writes a known number among the headers.
func mutate(random *rand.Rand, frame []byte) []byte {
	frame = slices.Clone(frame[:min(len(frame), 200)])
	if random.IntN(4) == 0 {
		frame = frame[:14+random.IntN(len(frame)-13)]
	}
	known := []byte{0, 1, 2, 6, 16, 17, 20, 22, 43, 44, 51, 53, 58, 59, 60, 67, 68, 135, 255, 0x45, 0x46, 0x60}
	for range random.IntN(4) {
		position := 12 + random.IntN(len(frame)-12)
		frame[position] = byte(random.Uint32())
		if random.IntN(2) == 0 {
			frame[position] = known[random.IntN(len(known))]
		}
	}
	return frame
}
