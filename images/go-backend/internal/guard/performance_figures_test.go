//go:build performance

package guard

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/packet"
	"triptych.dev/go-backend/internal/xdp"
)

const (
	generated  = 514 // destination port
	smallTable = 10_000

	bareXDP     = "XDP: a program that drops everything"
	guardDenied = "guard: denied prefix, 10 000"
	guardAll    = "guard: all steps, 10 000 and token buckets, 256 sources"
	nftRaw      = "nft raw: one rule"
	nftSet      = "nft raw: a set of 10 000"
	udpSocket   = "UDP socket that reads and forgets"
)

// attacker sends what is dropped; its last byte is counted up where 256 sources are wanted.
var attacker = netip.MustParseAddr("203.0.113.9")

// figure is one thing measured, over and over, beside the others.
type figure struct {
	name       string
	set        func(t *testing.T) // what drops the packets of the present namespace
	vary       bool               // 256 sources instead of one
	drain      bool               // a socket takes the packets
	closedOnly bool
	closed     series
	flood      series
}

func (f *figure) isMissing() bool {
	return len(f.closed) == 0 || len(f.flood) == 0 && !f.drain && !f.closedOnly
}

func figures() []*figure {
	denied := append(deniedRules(smallTable), rule("enemy", "203.0.113.8/29", xdp.ActionDeny))
	strict := Policy{SourceLimit: RateLimit{PacketsPerSecond: 1}}
	return []*figure{
		{name: bareXDP, set: dropAll},
		{name: guardDenied, set: guardWith(&Change{Number: 1, Upserts: denied})},
		{name: guardAll, vary: true, set: guardWith(&Change{Number: 1, Policy: strict, Upserts: denied[:smallTable]})},
		{name: "xdp-filter: 10 000 denied sources", set: xdpFilter},
		{name: "nft netdev ingress: one rule", closedOnly: true, set: nft(
			"table netdev t { chain c { type filter hook ingress device up0 priority 0; ip saddr 203.0.113.9 drop; }; }")},
		{name: nftRaw, set: nft("table ip t { chain c { type filter hook prerouting priority raw; ip saddr 203.0.113.9 drop; }; }")},
		{name: nftSet, set: nft(fmt.Sprintf("table ip t { set s { type ipv4_addr; flags interval; elements = { %s }; }; "+
			"chain c { type filter hook prerouting priority raw; ip saddr @s drop; }; }", prefixList(denied)))},
		{name: "iptables raw: one rule", closedOnly: true, set: func(t *testing.T) {
			command(t, "iptables", "-t", "raw", "-A", "PREROUTING", "-s", attacker.String(), "-j", "DROP")
		}},
		{name: udpSocket, set: func(*testing.T) {}, drain: true},
	}
}

// protection denies the attacker's network and has a token bucket, which lets all of them through, for everybody else.
func protection() func(t *testing.T) {
	generous := RateLimit{PacketsPerSecond: maxRate, PacketsBurst: maxRate, SynsPerSecond: maxRate}
	denied := append(deniedRules(smallTable), rule("enemy", "203.0.113.0/24", xdp.ActionDeny))
	return guardWith(&Change{Number: 1, Policy: Policy{SourceLimit: generous}, Upserts: denied})
}

func figureNamed(all []*figure, name string) *figure {
	for _, figure := range all {
		if figure.name == name {
			return figure
		}
	}
	panic("no figure " + name)
}

func prefixList(rules []*Rule) string {
	prefixes := make([]string, len(rules))
	for i, rule := range rules {
		prefixes[i] = rule.Prefix.String()
	}
	return strings.Join(prefixes, ", ")
}

func guardWith(change *Change) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		program := load(t, xdp.LoadOptions{FailSafe: defaultFailSafe(t)})
		_, err := New(program.Tables(), nil).Apply(change)
		must(t, err)
		(&bench{program: program}).attachTo(t, xdp.Options{Mode: xdp.ModeNative})
	}
}

func dropAll(t *testing.T) {
	t.Helper()
	program := assemble(t, asm.Mov.Imm(asm.R0, 1), asm.Return())
	attached, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: index(t, uplink), Flags: link.XDPDriverMode})
	must(t, err)
	t.Cleanup(func() { attached.Close() })
}

// command runs a peer's program.
func command(t *testing.T, program string, arguments ...string) {
	t.Helper()
	feed(t, "", program, arguments...)
}

func feed(t *testing.T, input, program string, arguments ...string) {
	t.Helper()
	started := exec.Command(program, arguments...)
	started.Stdin = strings.NewReader(input)
	if output, err := started.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v (make -C images/go-backend bench-tools installs it)\n%s", program, arguments, err, output)
	}
}

func nft(rules string) func(t *testing.T) {
	return func(t *testing.T) { t.Helper(); feed(t, rules, "nft", "-f", "-") }
}

// xdpFilter has file systems of its own, so that nothing of it stays.
func xdpFilter(t *testing.T) {
	t.Helper()
	must(t, unix.Unshare(unix.CLONE_NEWNS))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, ""))
	command(t, "xdp-filter", "load", "-m", "native", "-f", "ipv4,udp", uplink)
	command(t, "xdp-filter", "ip", "-m", "src", attacker.String())
	filter, err := ebpf.LoadPinnedMap("/sys/fs/bpf/xdp-filter/filter_ipv4", nil)
	must(t, err)
	defer filter.Close()
	var flags []uint64
	must(t, filter.Lookup(attacker.AsSlice(), &flags))
	fillFilter(t, filter, int(filter.MaxEntries())-1, flags)
}

// fillFilter denies so many sources as the rules of a measurement do.
func fillFilter(t *testing.T, filter *ebpf.Map, count int, flags []uint64) {
	t.Helper()
	for i := range count {
		must(t, filter.Put(numbered(firstDenied, i).AsSlice(), flags))
	}
}

func index(t *testing.T, name string) int {
	t.Helper()
	device, err := netlink.LinkByName(name)
	must(t, err)
	return device.Attrs().Index
}

func assemble(t *testing.T, instructions ...asm.Instruction) *ebpf.Program {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "GPL", Instructions: instructions})
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

// generator is a program that ends with some instructions, after it changed the source's last byte where that varies.
func generator(t *testing.T, vary bool, end ...asm.Instruction) *ebpf.Program {
	t.Helper()
	var instructions asm.Instructions
	if vary {
		instructions = asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), asm.LoadMem(asm.R3, asm.R1, 4, asm.Word),
			asm.Mov.Reg(asm.R4, asm.R2), asm.Add.Imm(asm.R4, 34), asm.JGT.Reg(asm.R4, asm.R3, "end"),
			asm.LoadMem(asm.R5, asm.R2, 29, asm.Byte), asm.Add.Imm(asm.R5, 1), asm.StoreMem(asm.R2, 29, asm.R5, asm.Byte),
		}
	}
	end[0] = end[0].WithSymbol("end")
	return assemble(t, append(append(instructions, end...), asm.Return())...)
}

// redirector sends every frame to the peer, where the interface under test receives it.
func redirector(t *testing.T, vary bool) *ebpf.Program {
	t.Helper()
	return generator(t, vary, asm.Mov.Imm(asm.R1, int32(index(t, peer))), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call())
}

// addressUplink gives the uplink an address and a route, so that nothing but the figure's rules drops a packet.
func addressUplink(t *testing.T) {
	t.Helper()
	device, err := netlink.LinkByName(uplink)
	must(t, err)
	address, err := netlink.ParseAddr("192.0.2.1/24")
	must(t, err)
	must(t, netlink.AddrAdd(device, address))
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: device.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}}))
}

// attack is a frame to the uplink.
func attack(t *testing.T) []byte {
	t.Helper()
	device, err := netlink.LinkByName(uplink)
	must(t, err)
	frame := packet.Ethernet(packet.TypeIPv4, packet.IPv4(attacker, packet.ProtocolUDP, packet.UDP(1000, generated, make([]byte, 64-42)...)))
	copy(frame, device.Attrs().HardwareAddr)
	sum := uint32(0)
	for at := 14; at < 34; at += 2 {
		sum += uint32(binary.BigEndian.Uint16(frame[at:]))
	}
	binary.BigEndian.PutUint16(frame[24:], ^uint16(sum+sum>>16))
	return frame
}
