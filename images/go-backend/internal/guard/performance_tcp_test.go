//go:build performance

package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	echoPort    = 7777
	window      = 300 * time.Millisecond
	floodBatch  = 1 << 20
	floodBurst  = 250 * time.Microsecond // as a network card hands packets over that moderates its interrupts to 4000 a second
	firstRate   = 50_000                 // packets per second, doubled until requests collapse
	lastRate    = 6_400_000
	collapsed   = 0.5
	wantedShare = 0.9
)

// tcpFigure is how many requests over TCP a node answers while it is flooded, by the rate of the flood.
type tcpFigure struct {
	runs map[bool][]floodRun // by whether the guard protects
}

// floodRun are points of rising rate.
type floodRun []floodPoint

type floodPoint struct {
	offered float64 // packets per second that the generator sent
	share   float64 // of the requests per second without a flood
}

func newTCPFigure() *tcpFigure {
	return &tcpFigure{runs: map[bool][]floodRun{}}
}

// measure lets one connection ask and answer on the core that also receives the flood. The thread that polls the interface
// comes before them, as an interrupt does; all of them, and the generator on the other core, come before whatever else the
// machine does, which stands nearly still for half a minute. protect sets the guard up, nil: nothing.
func (f *tcpFigure) measure(t *testing.T, protect func(t *testing.T)) {
	enterNamespace(t)
	addressUplink(t)
	frame := attack(t)
	// Requests go the flood's way, through the interface's queue: a veth gives only unsegmented packets to it.
	setFeature(t, peer, unix.ETHTOOL_STSO, 0)
	polling := pollByThread(t, receiverCPU, func() {
		receiveRedirected(t)
		if protect != nil {
			protect(t)
		}
	})
	for _, id := range polling {
		preferred(t, id, 2)
	}
	outside := movePeerOut(t)
	var answers atomic.Uint64
	serve(t)
	inNamespace(t, outside, func() { ask(t, &answers) })
	flood := newFlood(t, outside, frame)
	var run floodRun
	for rate := float64(firstRate); rate <= lastRate; rate *= 2 {
		point := flood.point(t, rate, &answers)
		run = append(run, point)
		if point.share < collapsed/2 {
			break
		}
	}
	f.runs[protect != nil] = append(f.runs[protect != nil], run)
}

// point is the median of three comparisons of a window with the flood with one before it.
func (f *flood) point(t *testing.T, rate float64, answers *atomic.Uint64) floodPoint {
	t.Helper()
	var offered, shares series
	for range 3 {
		f.send(t, 0)
		settle(t, answers)
		idle := answersIn(answers)
		f.send(t, uint64(rate*floodBurst.Seconds()))
		time.Sleep(window / 6)
		sent := f.sent(t)
		shares = append(shares, answersIn(answers)/idle)
		offered = append(offered, float64(f.sent(t)-sent)/window.Seconds())
	}
	return floodPoint{offered: offered.median(), share: shares.median()}
}

// settle waits until the connection has got over the last flood, which may have made TCP wait long before it tries again.
func settle(t *testing.T, answers *atomic.Uint64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		before := answers.Load()
		time.Sleep(window / 6)
		if answers.Load()-before > 100 {
			return
		}
	}
	t.Fatal("no answers without a flood")
}

func answersIn(answers *atomic.Uint64) float64 {
	before := answers.Load()
	time.Sleep(window)
	return float64(answers.Load()-before) / window.Seconds()
}

// collapse is the rate at which so large a share of the requests is left, between points by their logarithms.
func (r floodRun) collapse() (rate float64, reached bool) {
	for i, point := range r {
		if point.share >= collapsed {
			continue
		}
		if i == 0 {
			return point.offered, true
		}
		before := r[i-1]
		part := (before.share - collapsed) / (before.share - point.share)
		return before.offered * math.Pow(point.offered/before.offered, part), true
	}
	return r[len(r)-1].offered, false
}

// at is the share at a rate, between points by their logarithms.
func (r floodRun) at(rate float64) float64 {
	for i, point := range r {
		if point.offered < rate {
			continue
		}
		if i == 0 {
			return point.share
		}
		before := r[i-1]
		part := math.Log(rate/before.offered) / math.Log(point.offered/before.offered)
		return before.share + part*(point.share-before.share)
	}
	return r[len(r)-1].share
}

func (f *tcpFigure) write(report *strings.Builder) {
	fmt.Fprintf(report, `## TCP under a flood

One TCP connection asks and answers one byte through the flooded interface; client, server and the kernel thread that polls the interface share one core, that thread first, as an interrupt would be (all by SCHED_FIFO); the generator (live frames, its rate kept by the program that sends them) has the other.
The flood: UDP of 64 bytes to a closed port, from a source in one of 10 001 denied prefixes; every other source has a token bucket. It comes in a burst every %s. Windows of %s with and without the flood, in turn, median of three and of %d rounds.
Collapse: the rate of the flood at which half of the requests per second without one are left.

| flood, thousand packets/s: wanted | unprotected: sent | requests left | guard: sent | requests left |
|---|---|---|---|---|
`, floodBurst, window, rounds)
	for i, rate := 0, firstRate; rate <= lastRate; i, rate = i+1, 2*rate {
		fmt.Fprintf(report, "| %d | %s | %s |\n", rate/1000, pointText(f.runs[false], i), pointText(f.runs[true], i))
	}
	var plains, guardeds, shares series
	bound := ""
	for round, run := range f.runs[false] {
		plain, reached := run.collapse()
		if !reached {
			fmt.Fprintf(report, "\nThe unprotected node did not collapse in round %d: the generator was too slow, as on a busy machine. Nothing follows from this table.\n\n", round+1)
			return
		}
		guarded, reached := f.runs[true][round].collapse()
		if !reached {
			bound = "at least "
		}
		plains, guardeds = append(plains, plain/1000), append(guardeds, guarded/1000)
		shares = append(shares, f.runs[true][round].at(plain)*100)
	}
	plain, guarded := plains.median(), guardeds.median()
	fmt.Fprintf(report, "\nCollapse unprotected at %.0f, with the guard at %s%.0f thousand packets a second: **%s%.1f** times (goal 4). "+
		"At the rate that collapses the unprotected node the guard leaves **%.0f %%** of the requests (goal %.0f).\n\n",
		plain, bound, guarded, bound, guarded/plain, shares.median(), wantedShare*100)
}

// pointText is the median of all rounds' points at a place, empty behind a collapse.
func pointText(runs []floodRun, place int) string {
	var offered, shares series
	for _, run := range runs {
		if place < len(run) {
			offered, shares = append(offered, run[place].offered/1000), append(shares, run[place].share*100)
		}
	}
	if len(offered) == 0 {
		return " | "
	}
	return fmt.Sprintf("%.0f | %.0f %%", offered.median(), shares.median())
}

// movePeerOut puts the peer into a namespace of its own, where it answers as 192.0.2.2.
func movePeerOut(t *testing.T) netns.NsHandle {
	t.Helper()
	own, err := netns.Get()
	must(t, err)
	defer own.Close()
	outside, err := netns.New() // and enters it
	must(t, err)
	t.Cleanup(func() { outside.Close() })
	must(t, netns.Set(own))
	device, err := netlink.LinkByName(peer)
	must(t, err)
	must(t, netlink.LinkSetNsFd(device, int(outside)))
	inNamespace(t, outside, func() {
		device, err := netlink.LinkByName(peer)
		must(t, err)
		address, err := netlink.ParseAddr("192.0.2.2/24")
		must(t, err)
		must(t, errors.Join(netlink.AddrAdd(device, address), netlink.LinkSetUp(device)))
	})
	return outside
}

// inNamespace runs a function in another namespace, on this thread.
func inNamespace(t *testing.T, other netns.NsHandle, do func()) {
	t.Helper()
	own, err := netns.Get()
	must(t, err)
	defer own.Close()
	must(t, netns.Set(other))
	defer func() { must(t, netns.Set(own)) }()
	do()
}

// onReceiver runs a function on a thread of its own on the receiver's core, until its socket is shut down.
func onReceiver(t *testing.T, do func()) {
	t.Helper()
	ended := make(chan struct{})
	t.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		runtime.LockOSThread() // never unlocked: the thread ends
		pin(t, 0, receiverCPU)
		preferred(t, 0, 1)
		do()
	}()
}

func tcpSocket(t *testing.T) int {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	must(t, unix.SetsockoptInt(socket, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	return socket
}

// serve answers one connection, byte by byte.
func serve(t *testing.T) {
	t.Helper()
	listener := tcpSocket(t)
	must(t, errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Port: echoPort}), unix.Listen(listener, 1)))
	onReceiver(t, func() {
		defer unix.Close(listener)
		connection, _, err := unix.Accept(listener)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(connection)
		for one := make([]byte, 1); ; {
			if count, err := unix.Read(connection, one); err != nil || count == 0 {
				return
			}
			if _, err := unix.Write(connection, one); err != nil {
				return
			}
		}
	})
}

// ask counts answers until the test ends.
func ask(t *testing.T, answers *atomic.Uint64) {
	t.Helper()
	connection := tcpSocket(t)
	must(t, unix.Connect(connection, &unix.SockaddrInet4{Port: echoPort, Addr: [4]byte{192, 0, 2, 1}}))
	onReceiver(t, func() {
		defer unix.Close(connection)
		for one := make([]byte, 1); ; {
			if _, err := unix.Write(connection, one); err != nil {
				return
			}
			if count, err := unix.Read(connection, one); err != nil || count == 0 {
				return
			}
			answers.Add(1)
		}
	})
	t.Cleanup(func() { unix.Shutdown(connection, unix.SHUT_RDWR) })
}

// preferred lets a thread, 0 for this one, run before all ordinary ones and those of a lower priority.
func preferred(t *testing.T, thread int, priority uint32) {
	t.Helper()
	must(t, unix.SchedSetAttr(thread, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: priority}, 0))
}

// flood sends frames at a rate from the generator's core, which is busy without a flood, too.
type flood struct {
	burst *ebpf.Map // packets every floodBurst, 0: no flood
	state *ebpf.Map // when the next burst is due, how much of this one is left, and how many packets were sent
}

const nextAt, leftAt, sentAt, stateSize = 0, 8, 16, 24

func (f *flood) send(t *testing.T, burst uint64) {
	t.Helper()
	must(t, f.burst.Put(uint32(0), burst))
}

func (f *flood) sent(t *testing.T) uint64 {
	t.Helper()
	value := make([]byte, stateSize)
	must(t, f.state.Lookup(uint32(0), value))
	return binary.NativeEndian.Uint64(value[sentAt:])
}

func newFlood(t *testing.T, outside netns.NsHandle, frame []byte) *flood {
	t.Helper()
	table := func(size uint32) *ebpf.Map {
		made, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1})
		must(t, err)
		t.Cleanup(func() { made.Close() })
		return made
	}
	f := &flood{burst: table(8), state: table(stateSize)}
	var sender *ebpf.Program
	inNamespace(t, outside, func() { sender = f.sender(t, index(t, peer)) })
	stop, ended := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		pin(t, 0, generatorCPU)
		preferred(t, 0, 2)
		err := netns.Set(outside)
		for err == nil {
			select {
			case <-stop:
				return
			default:
				_, err = sender.Run(&ebpf.RunOptions{Data: frame, Repeat: floodBatch, Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
			}
		}
		t.Error(err)
	}()
	return f
}

// sender drops a frame that comes too early and sends one that is due.
func (f *flood) sender(t *testing.T, device int) *ebpf.Program {
	t.Helper()
	return assemble(t,
		asm.LoadMapValue(asm.R8, f.burst.FD(), 0), asm.LoadMem(asm.R8, asm.R8, 0, asm.DWord),
		asm.JEq.Imm(asm.R8, 0, "drop"),
		asm.LoadMapValue(asm.R7, f.state.FD(), 0),
		asm.LoadMem(asm.R6, asm.R7, leftAt, asm.DWord),
		asm.JNE.Imm(asm.R6, 0, "send"),
		asm.FnKtimeGetNs.Call(),
		asm.LoadMem(asm.R2, asm.R7, nextAt, asm.DWord),
		asm.JGT.Reg(asm.R2, asm.R0, "drop"),
		asm.Add.Imm(asm.R0, int32(floodBurst)), asm.StoreMem(asm.R7, nextAt, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R6, asm.R8),
		asm.Sub.Imm(asm.R6, 1).WithSymbol("send"), asm.StoreMem(asm.R7, leftAt, asm.R6, asm.DWord),
		asm.LoadMem(asm.R5, asm.R7, sentAt, asm.DWord), asm.Add.Imm(asm.R5, 1), asm.StoreMem(asm.R7, sentAt, asm.R5, asm.DWord),
		asm.Mov.Imm(asm.R1, int32(device)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("drop"), asm.Return(),
	)
}
