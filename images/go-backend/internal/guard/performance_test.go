//go:build performance

package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/packet"
	"triptych.dev/go-backend/internal/xdp"
)

const (
	rounds        = 3
	programRounds = 3 // the kernel waits for long around each
	bursts        = 4
	burst         = 30_000
	generated     = 514 // destination port
	smallTable    = 10_000
	largeTable    = 100_000
	sourcesTaken  = 16
)

// figure is one thing measured, over and over, beside the others.
type figure struct {
	name   string
	set    func(t *testing.T) // what drops the packets of the present namespace
	vary   bool               // 256 sources instead of one
	drain  bool               // a socket takes the packets
	values []float64
}

func (f *figure) median() float64 {
	slices.Sort(f.values)
	return f.values[len(f.values)/2]
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

// command runs a peer's program; PEERS is a directory where Debian's packages were unpacked, empty: they are installed.
func command(t *testing.T, program string, arguments ...string) {
	t.Helper()
	if peers := os.Getenv("PEERS"); peers != "" {
		if _, err := os.Stat(peers + "/usr/sbin/" + program); err == nil {
			program = peers + "/usr/sbin/" + program
		}
		t.Setenv("LD_LIBRARY_PATH", peers+"/usr/lib/x86_64-linux-gnu:"+peers+"/lib/x86_64-linux-gnu")
		t.Setenv("LIBXDP_OBJECT_PATH", peers+"/usr/lib/x86_64-linux-gnu/bpf")
	}
	if output, err := exec.Command(program, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", program, arguments, err, output)
	}
}

func nft(rules string) func(t *testing.T) {
	return func(t *testing.T) { t.Helper(); command(t, "nft", rules) }
}

// xdpFilter has file systems of its own, so that nothing of it stays.
func xdpFilter(t *testing.T) {
	t.Helper()
	must(t, unix.Unshare(unix.CLONE_NEWNS))
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, ""))
	command(t, "xdp-filter", "load", "-m", "native", "-f", "ipv4,udp", uplink)
	command(t, "xdp-filter", "ip", "-m", "src", "203.0.113.9")
}

func figures() []*figure {
	denied := append(deniedRules(smallTable), rule("enemy", "203.0.113.0/24", xdp.ActionDeny))
	strict := Policy{SourceLimit: RateLimit{PacketsPerSecond: 1}}
	return []*figure{
		{name: "guard: denied prefix, 10 000 prefixes", set: guardWith(&Change{Number: 1, Upserts: denied})},
		{name: "guard: all steps, 10 000 prefixes and token buckets, 256 sources", vary: true,
			set: guardWith(&Change{Number: 1, Policy: strict, Upserts: denied[:smallTable]})},
		{name: "xdp-filter: one denied source", set: xdpFilter},
		{name: "nft netdev ingress: one rule", set: nft(
			"table netdev t { chain c { type filter hook ingress device up0 priority 0; ip saddr 203.0.113.9 drop; }; }")},
		{name: "nft raw: one rule", set: nft(
			"table ip t { chain c { type filter hook prerouting priority raw; ip saddr 203.0.113.9 drop; }; }")},
		{name: "iptables raw: one rule", set: func(t *testing.T) {
			command(t, "iptables", "-t", "raw", "-A", "PREROUTING", "-s", "203.0.113.9", "-j", "DROP")
		}},
		{name: "UDP socket that reads and forgets", set: func(*testing.T) {}, drain: true},
	}
}

// TestPerformance writes the report to the file PERFORMANCE_REPORT names.
func TestPerformance(t *testing.T) {
	load, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	all := figures()
	for range rounds {
		for _, figure := range all {
			t.Run(figure.name, func(t *testing.T) { figure.values = append(figure.values, figure.nanoseconds(t)) })
		}
	}
	if t.Failed() {
		return
	}
	report := &strings.Builder{}
	fmt.Fprintf(report, "# Performance of the edge guard\n\nMade by `make -C images/go-backend bench-guard` (as root; nftables, iptables and xdp-tools installed): "+
		"%d rounds, all figures in turn, median and range. %s, %d CPUs; load average before the start: %s (a quiet machine: below 1).\n\n",
		rounds, kernelText(t), runtime.NumCPU(), strings.Fields(string(load))[0])
	writeDrops(report, all)
	writeProgram(t, report)
	fmt.Print(report)
	must(t, os.WriteFile(os.Getenv("PERFORMANCE_REPORT"), []byte(report.String()), 0o644))
}

func kernelText(t *testing.T) string {
	t.Helper()
	kernel, err := exec.Command("uname", "-r").Output()
	must(t, err)
	return "Kernel " + strings.TrimSpace(string(kernel))
}

func writeDrops(report *strings.Builder, all []*figure) {
	report.WriteString("## Dropping, one core\n\nNanoseconds of CPU time for each UDP packet of 64 bytes, from the driver (veth) to its end; the generator's own time, " +
		"measured with frames that it drops, is off. Bursts on one core, nothing waits. CPU time, so that other work on the machine matters little.\n\n| | median | range |\n|---|---|---|\n")
	for _, figure := range all {
		fmt.Fprintf(report, "| %s | %.0f | %.0f – %.0f |\n", figure.name, figure.median(), figure.values[0], figure.values[len(figure.values)-1])
	}
	ratio := func(a, b int) float64 { return all[a].median() / all[b].median() }
	fmt.Fprintf(report, "\nFaster than nft raw: denied prefix **%.1f** times (goal 3.5), all steps **%.1f** times (goal 2). All steps against the UDP socket: **%.1f** times (goal 10, denied prefix %.1f).\n\n",
		ratio(4, 0), ratio(4, 1), ratio(6, 1), ratio(6, 0))
}

// writeProgram measures the program alone, in the kernel's own time.
func writeProgram(t *testing.T, report *strings.Builder) {
	t.Helper()
	var byRound [][]Measurement
	for range programRounds {
		results, err := Measure(MeasureOptions{Prefixes: largeTable, Sources: sourcesTaken, Packets: 1_000_000})
		must(t, err)
		byRound = append(byRound, results)
	}
	fmt.Fprintf(report, "## The program alone\n\nNanoseconds per packet by PROG_TEST_RUN, %d denied prefixes, %d sources in turn (`go-backend bench`). Goal for the full guard: 130.\n\n"+
		"| | median | range |\n|---|---|---|\n", largeTable, sourcesTaken)
	for step := range byRound[0] {
		one := &figure{}
		for _, results := range byRound {
			one.values = append(one.values, results[step].NanosecondsPerPacket)
		}
		fmt.Fprintf(report, "| %s | %.0f | %.0f – %.0f |\n", byRound[0][step].Name, one.median(), one.values[0], one.values[programRounds-1])
	}
	report.WriteString("\nMeasured as root, with CAP_PERFMON. Without it, as in the cluster, the verifier adds barriers: decision 0013. Not measured here: TCP under a flood.\n")
}

// nanoseconds takes a figure once, in a namespace of its own.
func (f *figure) nanoseconds(t *testing.T) float64 {
	enterNamespace(t)
	frame := f.frame(t)
	receiveRedirected(t)
	f.set(t)
	socket := -1
	if f.drain {
		socket = openSocket(t)
	}
	device, err := netlink.LinkByName(peer)
	must(t, err)
	var set unix.CPUSet
	set.Set(0)
	must(t, unix.SchedSetaffinity(0, &set))
	redirect := f.generator(t, asm.Mov.Imm(asm.R1, int32(device.Attrs().Index)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call())
	drop := f.generator(t, asm.Mov.Imm(asm.R0, 1))
	inject := func(program *ebpf.Program) time.Duration {
		start := cpuTime(t)
		_, err := program.Run(&ebpf.RunOptions{Data: frame, Repeat: burst, Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
		must(t, err)
		if f.drain {
			for buffer := make([]byte, 2048); ; {
				if _, _, err := unix.Recvfrom(socket, buffer, unix.MSG_DONTWAIT); err != nil {
					break
				}
			}
		}
		return cpuTime(t) - start
	}
	inject(redirect)
	var spent time.Duration
	for range bursts {
		spent += inject(redirect) - inject(drop)
	}
	device, err = netlink.LinkByName(uplink)
	must(t, err)
	if received := device.Attrs().Statistics.RxPackets; received < bursts*burst {
		t.Fatalf("only %d of %d packets reached the interface", received, (bursts+1)*burst)
	}
	f.checkNothingPassed(t)
	return float64(spent.Nanoseconds()) / (bursts * burst)
}

// receiveRedirected switches GRO on: without it, or an XDP program, a veth takes no redirected frames.
func receiveRedirected(t *testing.T) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(socket)
	value := struct{ command, data uint32 }{unix.ETHTOOL_SGRO, 1}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:], uplink)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}

// checkNothingPassed fails if packets reached the network stack's end, where they would have cost more than a drop. A
// token bucket lets a few through.
func (f *figure) checkNothingPassed(t *testing.T) {
	t.Helper()
	if f.drain {
		return
	}
	text, err := os.ReadFile("/proc/thread-self/net/snmp")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "Udp:" || fields[1] == "InDatagrams" {
			continue
		}
		noPort, err := strconv.Atoi(fields[2])
		must(t, err)
		if noPort > bursts*burst/1000 {
			t.Errorf("packets came through: %s", line)
		}
	}
}

func (f *figure) frame(t *testing.T) []byte {
	t.Helper()
	device, err := netlink.LinkByName(uplink)
	must(t, err)
	address, err := netlink.ParseAddr("192.0.2.1/24")
	must(t, err)
	must(t, netlink.AddrAdd(device, address))
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: device.Attrs().Index, Dst: &net.IPNet{IP: net.IPv4zero, Mask: net.CIDRMask(0, 32)}}))
	frame := packet.Ethernet(packet.TypeIPv4, packet.IPv4(netip.MustParseAddr("203.0.113.9"), packet.ProtocolUDP,
		packet.UDP(1000, generated, make([]byte, 64-42)...)))
	copy(frame, device.Attrs().HardwareAddr)
	sum := uint32(0)
	for at := 14; at < 34; at += 2 {
		sum += uint32(binary.BigEndian.Uint16(frame[at:]))
	}
	binary.BigEndian.PutUint16(frame[24:], ^uint16(sum+sum>>16))
	return frame
}

// generator is a program that ends with some instructions, after it changed the source's last byte where that varies.
func (f *figure) generator(t *testing.T, end ...asm.Instruction) *ebpf.Program {
	t.Helper()
	var instructions asm.Instructions
	if f.vary {
		instructions = asm.Instructions{
			asm.LoadMem(asm.R2, asm.R1, 0, asm.Word), asm.LoadMem(asm.R3, asm.R1, 4, asm.Word),
			asm.Mov.Reg(asm.R4, asm.R2), asm.Add.Imm(asm.R4, 34), asm.JGT.Reg(asm.R4, asm.R3, "end"),
			asm.LoadMem(asm.R5, asm.R2, 29, asm.Byte), asm.Add.Imm(asm.R5, 1), asm.StoreMem(asm.R2, 29, asm.R5, asm.Byte),
		}
	}
	end[0] = end[0].WithSymbol("end")
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL", Instructions: append(append(instructions, end...), asm.Return()),
	})
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

func openSocket(t *testing.T) int {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(socket) })
	must(t, errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.Bind(socket, &unix.SockaddrInet4{Port: generated}),
	))
	return socket
}

// cpuTime is that of this thread, with the interrupts that it served.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}
