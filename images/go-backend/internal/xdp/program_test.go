package xdp

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
)

const xdpPass = 2

// needRoot skips where capabilities are missing; nothing else may skip.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for CAP_BPF and CAP_NET_ADMIN")
	}
}

// load fails the test on every error, a verifier rejection above all.
func load(t testing.TB, fragments bool) *program {
	t.Helper()
	needRoot(t)
	loaded, err := loadProgram(fragments)
	if err != nil {
		t.Fatalf("%v\n%s", err, VerifierLog(err))
	}
	t.Cleanup(func() { loaded.close() })
	return loaded
}

func run(t testing.TB, loaded *program, packet []byte) {
	t.Helper()
	verdict, err := loaded.objects.CountPackets.Run(&ebpf.RunOptions{Data: packet})
	if err != nil {
		t.Fatalf("run % x: %v", packet, err)
	}
	if verdict != xdpPass {
		t.Fatalf("verdict %d, want XDP_PASS, for % x", verdict, packet)
	}
}

func read(t testing.TB, loaded *program) []Counter {
	t.Helper()
	counters, err := loaded.counters()
	if err != nil {
		t.Fatal(err)
	}
	return counters
}

// add counts packets in Go, by their reference class.
func add(counters []Counter, packet []byte, protocol string) {
	index := slices.IndexFunc(counters, func(counter Counter) bool { return counter.Protocol == protocol })
	counters[index].Packets++
	counters[index].Bytes += uint64(len(packet))
}

var classCases = []struct {
	name, protocol string
	packet         []byte
}{
	{"IPv4 TCP", "tcp", ethernet(typeIPv4, ipv4(6))},
	{"IPv4 UDP", "udp", ethernet(typeIPv4, ipv4(17))},
	{"IPv4 ICMP", "icmp", ethernet(typeIPv4, ipv4(1))},
	{"IPv4 GRE", "other_ip", ethernet(typeIPv4, ipv4(47))},
	{"ICMPv6 inside IPv4", "other_ip", ethernet(typeIPv4, ipv4(58))},
	{"IPv4 without its last byte", "other_ip", ethernet(typeIPv4, ipv4(6)[:19])},
	{"IPv4 with a header too short", "other_ip", ethernet(typeIPv4, []byte{0x44}, ipv4(6)[1:])},
	{"IPv4 that says version 6", "other_ip", ethernet(typeIPv4, []byte{0x65}, ipv4(6)[1:])},
	{"IPv4 with nothing", "other_ip", ethernet(typeIPv4)},
	{"IPv6 TCP", "tcp", ethernet(typeIPv6, ipv6(6))},
	{"IPv6 UDP", "udp", ethernet(typeIPv6, ipv6(17))},
	{"ICMPv6", "icmpv6", ethernet(typeIPv6, ipv6(58))},
	{"ICMP inside IPv6", "other_ip", ethernet(typeIPv6, ipv6(1))},
	{"IPv6 no next header", "other_ip", ethernet(typeIPv6, ipv6(59))},
	{"IPv6 without its last byte", "other_ip", ethernet(typeIPv6, ipv6(6)[:39])},
	{"IPv6 that says version 4", "other_ip", ethernet(typeIPv6, []byte{0x40}, ipv6(6)[1:])},
	{"hop-by-hop, TCP", "tcp", ethernet(typeIPv6, ipv6(0), extension(6, 0))},
	{"routing and destination, UDP", "udp", ethernet(typeIPv6, ipv6(43), extension(60, 2), extension(17, 0))},
	{"AH counts in words", "tcp", ethernet(typeIPv6, ipv6(51), authentication(0, 4), extension(6, 0))},
	{"mobility, ICMPv6", "icmpv6", ethernet(typeIPv6, ipv6(135), extension(58, 0))},
	{"first fragment", "udp", ethernet(typeIPv6, ipv6(44), fragment(60, 0), extension(17, 0))},
	{"first fragment's header cut", "other_ip", ethernet(typeIPv6, ipv6(44), fragment(17, 0)[:7])},
	{"later fragment", "udp", ethernet(typeIPv6, ipv6(44), fragment(17, 1))},
	{"later fragment of an extension", "other_ip", ethernet(typeIPv6, ipv6(44), fragment(60, 1), extension(17, 0))},
	{"extension cut", "other_ip", ethernet(typeIPv6, ipv6(0), []byte{60})},
	{"extension longer than the packet", "other_ip", ethernet(typeIPv6, ipv6(0), extension(60, 9)[:16])},
	{"eight extensions", "tcp", ethernet(typeIPv6, ipv6(60), chain(7), extension(6, 0))},
	{"nine extensions", "other_ip", ethernet(typeIPv6, ipv6(60), chain(8), extension(6, 0))},
	{"ARP", "arp", ethernet(typeARP, make([]byte, 28))},
	{"ARP with nothing", "arp", ethernet(typeARP)},
	{"VLAN, TCP", "tcp", ethernet(typeVLAN, vlan(7, typeIPv4), ipv4(6))},
	{"VLAN, ARP", "arp", ethernet(typeVLAN, vlan(7, typeARP), make([]byte, 28))},
	{"QinQ, ICMPv6", "icmpv6", ethernet(typeQinQ, vlan(7, typeVLAN), vlan(8, typeIPv6), ipv6(58))},
	{"three tags", "other", ethernet(typeQinQ, vlan(7, typeVLAN), vlan(8, typeVLAN), vlan(9, typeIPv4), ipv4(6))},
	{"VLAN tag cut", "other", ethernet(typeVLAN, vlan(7, typeIPv4)[:3])},
	{"LLDP", "other", ethernet(0x88cc, make([]byte, 40))},
	{"nothing but Ethernet", "other", ethernet(0)},
	{"several pages", "udp", ethernet(typeIPv4, ipv4(17), make([]byte, 8000))},
}

// chain is a number of destination option headers, each followed by another.
func chain(length int) []byte {
	return slices.Concat(slices.Repeat([][]byte{extension(60, 0)}, length)...)
}

func TestClasses(t *testing.T) {
	loaded := load(t, true)
	for _, test := range classCases {
		t.Run(test.name, func(t *testing.T) {
			if got := reference(test.packet); got != test.protocol {
				t.Errorf("the reference says %s, want %s", got, test.protocol)
			}
			want := read(t, loaded)
			add(want, test.packet, test.protocol)
			run(t, loaded, test.packet)
			if got := read(t, loaded); !slices.Equal(got, want) {
				t.Errorf("counters\n%v, want\n%v", got, want)
			}
		})
	}
}

func TestClassesWithoutFragments(t *testing.T) {
	loaded := load(t, false)
	for _, test := range classCases {
		if len(test.packet) > 1500 {
			continue
		}
		want := read(t, loaded)
		add(want, test.packet, test.protocol)
		run(t, loaded, test.packet)
		if got := read(t, loaded); !slices.Equal(got, want) {
			t.Errorf("%s: counters\n%v, want\n%v", test.name, got, want)
		}
	}
}

// TestFuzz compares the program with the reference on mutated packets; the seed makes a failure repeatable.
func TestFuzz(t *testing.T) {
	const packets, batch = 100_000, 100
	loaded := load(t, true)
	random := rand.New(rand.NewPCG(1, 2))
	for range packets / batch {
		sent := make([][]byte, batch)
		want := read(t, loaded)
		for i := range sent {
			sent[i] = mutate(random, classCases[random.IntN(len(classCases))].packet)
			add(want, sent[i], reference(sent[i]))
			run(t, loaded, sent[i])
		}
		if !slices.Equal(read(t, loaded), want) {
			blame(t, loaded, sent)
		}
	}
}

// blame runs the packets of a failed batch one by one.
func blame(t *testing.T, loaded *program, sent [][]byte) {
	t.Helper()
	for _, packet := range sent {
		want := read(t, loaded)
		add(want, packet, reference(packet))
		run(t, loaded, packet)
		if got := read(t, loaded); !slices.Equal(got, want) {
			t.Fatalf("packet % x: counters\n%v, want\n%v", packet, got, want)
		}
	}
	t.Fatal("a batch differed, but none of its packets alone")
}

// mutate cuts a packet, changes a few bytes and often writes a known protocol number among the headers.
func mutate(random *rand.Rand, packet []byte) []byte {
	packet = slices.Clone(packet[:min(len(packet), 200)])
	if random.IntN(3) == 0 {
		packet = packet[:14+random.IntN(len(packet)-13)]
	}
	known := []byte{0, 1, 6, 17, 43, 44, 51, 58, 59, 60, 135, 0x45, 0x60}
	for range random.IntN(4) {
		position := 12 + random.IntN(len(packet)-12)
		packet[position] = byte(random.Uint32())
		if random.IntN(2) == 0 {
			packet[position] = known[random.IntN(len(known))]
		}
	}
	return packet
}

// BenchmarkProgram reports the kernel's own mean time per packet.
func BenchmarkProgram(b *testing.B) {
	for _, test := range classCases {
		if !slices.Contains([]string{"IPv4 TCP", "QinQ, ICMPv6", "eight extensions", "LLDP"}, test.name) {
			continue
		}
		b.Run(test.name, func(b *testing.B) {
			loaded := load(b, true)
			_, mean, err := loaded.objects.CountPackets.Benchmark(test.packet, b.N, b.ResetTimer)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(mean.Nanoseconds()), "kernel-ns/packet")
		})
	}
}
