package guard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/xdp"
)

const uplink, peer = "up0", "peer0"

// enterNamespace moves the test into a network namespace with one veth pair that sends nothing by itself. The thread
// stays locked, so that it ends, and the namespace with it, when the test does.
func enterNamespace(t *testing.T) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: uplink, MTU: 1500}, PeerName: peer, PeerMTU: 1500}))
	for _, name := range []string{uplink, peer} {
		device, err := netlink.LinkByName(name)
		must(t, err)
		must(t, netlink.LinkSetIP6AddrGenMode(device, 1))
		must(t, netlink.LinkSetUp(device))
	}
}

// packetSocket sends to, or sees what arrives at, one end of the pair.
type packetSocket struct {
	fd      int
	address *unix.SockaddrLinklayer
}

func openPacketSocket(t *testing.T, name string) *packetSocket {
	t.Helper()
	device, err := netlink.LinkByName(name)
	must(t, err)
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol))
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	socket := &packetSocket{fd: fd, address: &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: device.Attrs().Index}}
	must(t, unix.Bind(fd, socket.address))
	must(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 20_000}))
	return socket
}

// send waits while the queue of the other end is full: then the kernel refuses a frame, and nothing has left.
func (s *packetSocket) send(t *testing.T, frame []byte) {
	t.Helper()
	err := unix.Sendto(s.fd, frame, 0, s.address)
	for deadline := time.Now().Add(patience); errors.Is(err, unix.ENOBUFS) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		err = unix.Sendto(s.fd, frame, 0, s.address)
	}
	must(t, err)
}

// patience is for a machine that is busy with other things; whatever is right comes at once elsewhere.
const patience = time.Minute

// arrivals counts what passed, by the last byte of the IPv4 source: until it is enough, and then until nothing more comes.
func (s *packetSocket) arrivals(enough func(counts map[byte]int) bool) map[byte]int {
	counts, buffer, deadline := map[byte]int{}, make([]byte, 2048), time.Now().Add(patience)
	for {
		length, from, err := unix.Recvfrom(s.fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue // the runtime's own signals
		}
		if err != nil {
			if enough(counts) || time.Now().After(deadline) {
				return counts
			}
			continue
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		key := byte(0)
		if length > 29 {
			key = buffer[29]
		}
		counts[key]++
	}
}

// atLeast is enough for tests that know how many will pass.
func atLeast(count int) func(map[byte]int) bool {
	return func(counts map[byte]int) bool { return total(counts) >= count }
}

func total(counts map[byte]int) int {
	sum := 0
	for _, count := range counts {
		sum += count
	}
	return sum
}

// attachTo puts the bench's program on the pair.
func (b *bench) attachTo(t *testing.T, options xdp.Options) *xdp.Attachment {
	t.Helper()
	options.Interface = uplink
	attachment, err := xdp.Attach(b.program, nil, options)
	must(t, err)
	t.Cleanup(func() { attachment.Close() })
	if state := attachment.State(); state.Mode != options.Mode {
		t.Fatalf("state %+v", state)
	}
	return attachment
}

// TestFramesOverVeth sends every case of the table over a real interface: deny, allow, limits, count-only, IPv6, VLAN
// tags, fail-safe ports, broken packets. What arrives and what is counted is what the reference says.
func TestFramesOverVeth(t *testing.T) {
	for _, mode := range []xdp.Mode{xdp.ModeNative, xdp.ModeGeneric} {
		for _, policy := range []Policy{{}, {Drop: true}} {
			t.Run(fmt.Sprint(mode, policy.Drop), func(t *testing.T) {
				enterNamespace(t)
				bench := newBench(t, policy, standardRules()...)
				bench.attachTo(t, xdp.Options{Mode: mode})
				sender, receiver := openPacketSocket(t, peer), openPacketSocket(t, uplink)
				passed := 0
				for _, test := range verdictCases {
					if len(test.frame) > 1514 {
						continue
					}
					sender.send(t, test.frame)
					if !bench.reference.judge(test.frame).Drops() {
						passed++
					}
				}
				if got := total(receiver.arrivals(atLeast(passed))); got != passed {
					t.Errorf("%d frames arrived, want %d", got, passed)
				}
				bench.check(t)
			})
		}
	}
}

// running is a guard by the real clock, with its program attached.
func running(t *testing.T, rules ...*Rule) (*Guard, *xdp.Program) {
	t.Helper()
	enterNamespace(t)
	program := load(t, xdp.LoadOptions{FailSafe: defaultFailSafe(t)})
	guard := New(program.Tables(), nil)
	_, err := guard.Apply(&Change{Number: 1, Upserts: rules})
	must(t, err)
	(&bench{program: program}).attachTo(t, xdp.Options{Mode: xdp.ModeNative})
	return guard, program
}

func TestRateByTheRealClock(t *testing.T) {
	running(t, rule("rate", "203.0.113.0/24", xdp.ActionRate, limited(RateLimit{PacketsPerSecond: 1, PacketsBurst: 5})))
	sender, receiver := openPacketSocket(t, peer), openPacketSocket(t, uplink)
	started := time.Now()
	for range 50 {
		sender.send(t, udp4(enemy, 1000, 2000))
	}
	refilled := int(time.Since(started)/time.Second) + 1
	if got := total(receiver.arrivals(atLeast(5))); got < 5 || got > 5+refilled {
		t.Errorf("%d of 50 arrived, want a burst of 5", got)
	}
}

func TestRuleEndsByItself(t *testing.T) {
	ending := rule("ending", "203.0.113.0/24", xdp.ActionDeny, func(rule *Rule) { rule.ExpiresAt = time.Now().Add(3 * time.Second) })
	guard, _ := running(t, ending)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { guard.Run(ctx) })
	defer func() { cancel(); ended.Wait() }()
	sender, receiver := openPacketSocket(t, peer), openPacketSocket(t, uplink)
	sender.send(t, udp4(enemy, 1000, 2000))
	if got := total(receiver.arrivals(atLeast(0))); got != 0 && time.Now().Before(ending.ExpiresAt) {
		t.Fatalf("%d arrived while the rule held", got)
	}
	for deadline := time.Now().Add(patience); ; {
		sender.send(t, udp4(enemy, 1000, 2000))
		if total(receiver.arrivals(atLeast(0))) > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the rule never ended")
		}
	}
}

// TestProgramIsReplacedUnderTraffic restarts the guard again and again while packets arrive: nothing denied leaks,
// nothing allowed is lost.
func TestProgramIsReplacedUnderTraffic(t *testing.T) {
	const restarts = 6
	for _, mode := range []xdp.Mode{xdp.ModeNative, xdp.ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			enterNamespace(t)
			pins := t.TempDir()
			must(t, unix.Mount("bpf", pins, "bpf", 0, ""))
			t.Cleanup(func() { must(t, unix.Unmount(pins, unix.MNT_DETACH)) })
			options := xdp.Options{Mode: mode, PinPath: pins}
			denied := rule("deny", "203.0.113.0/24", xdp.ActionDeny)
			first := newBench(t, Policy{}, denied).attachTo(t, options)

			sender, receiver := openPacketSocket(t, peer), openPacketSocket(t, uplink)
			stop := make(chan struct{})
			var sent, complete atomic.Int64
			var traffic sync.WaitGroup
			traffic.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					unix.Sendto(sender.fd, udp4(enemy, 1000, 2000), 0, sender.address)
					if unix.Sendto(sender.fd, udp4(stranger, 1000, 2000), 0, sender.address) == nil {
						sent.Add(1)
					}
					time.Sleep(50 * time.Microsecond)
				}
			})
			friendly, arrived := stranger.As4()[3], make(chan map[byte]int)
			go func() {
				arrived <- receiver.arrivals(func(counts map[byte]int) bool {
					all := complete.Load()
					return all > 0 && int64(counts[friendly]) >= all
				})
			}()
			must(t, first.Close())
			for range restarts {
				must(t, newBench(t, Policy{}, denied).attachTo(t, options).Close())
			}
			close(stop)
			traffic.Wait()
			complete.Store(sent.Load())
			counts := <-arrived
			leaked, passed := counts[enemy.As4()[3]], counts[friendly]
			if leaked != 0 || int64(passed) != sent.Load() || passed < 200 {
				t.Errorf("%d leaked, %d of %d allowed packets arrived", leaked, passed, sent.Load())
			}
		})
	}
}

// TestEventsAndTopSources has samples of real packets reach watchers and the estimate.
func TestEventsAndTopSources(t *testing.T) {
	guard, program := running(t, rule("deny", "203.0.113.0/24", xdp.ActionDeny))
	samples, err := program.Samples()
	must(t, err)
	telemetry := NewTelemetry(guard.RuleID)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { telemetry.Run(ctx, samples) })
	defer func() { cancel(); ended.Wait() }()
	watching, other := telemetry.watch("deny"), telemetry.watch("another")
	sender, started := openPacketSocket(t, peer), time.Now()
	for range 200 {
		sender.send(t, udp4(enemy, 1000, 2000))
		sender.send(t, udp4(stranger, 1000, 2000))
		time.Sleep(time.Millisecond)
	}
	// Of each kind one in 4 ms on each CPU, by a clock that ticks, however long a busy machine takes to send them.
	most := uint64(2*runtime.NumCPU()) * uint64(time.Since(started)/(4*time.Millisecond)+2)
	event := <-watching.events
	if event.RuleId != "deny" || event.Source != enemy.String() || event.DestinationPort != 2000 || event.Length != 46 ||
		time.Since(event.Time.AsTime()).Abs() > time.Minute {
		t.Errorf("event %v", event)
	}
	if len(other.events) != 0 {
		t.Error("a watcher got an event of another rule")
	}
	var top []*source
	known := func() bool {
		top, _ = telemetry.top(10)
		return len(top) == 2 && top[0].packets >= 100 && top[1].packets >= 100
	}
	for deadline := time.Now().Add(patience); !known() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	if !known() || telemetry.Samples.Load() > most {
		t.Fatalf("sources %v, %d samples of 400 packets, want at most %d", top, telemetry.Samples.Load(), most)
	}
	for _, found := range top {
		if (found.dropped > 0) != found.key.Contains(enemy) {
			t.Errorf("source %+v", found)
		}
	}
}

func TestWatcherThatDoesNotReadLosesEvents(t *testing.T) {
	telemetry := NewTelemetry(func(uint32) string { return "deny" })
	watching := telemetry.watch("")
	for range eventBuffer + 100 {
		telemetry.take(xdp.Sample{Verdict: xdp.DropDenied, Source: enemy, Destination: friend, Weight: 1})
	}
	if len(watching.events) != eventBuffer || watching.lost.Load() != 100 || telemetry.Lost.Load() != 100 {
		t.Errorf("%d events, %d lost", len(watching.events), watching.lost.Load())
	}
	telemetry.unwatch(watching)
	if telemetry.Watchers() != 0 {
		t.Error("a watcher remains")
	}
}

// TestTopSourcesFindsTheHeavyOnes among many more sources than it tracks; no estimate is off by more than it says.
func TestTopSourcesFindsTheHeavyOnes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	sources, truth := newTopSources(64), map[netip.Prefix]uint64{}
	for range 100_000 {
		number := random.IntN(5000)
		if random.IntN(2) == 0 {
			number = random.IntN(5)
		}
		key := sourceKey(netip.AddrFrom4([4]byte{10, 0, byte(number >> 8), byte(number)}))
		truth[key]++
		sources.add(key, 1, false)
	}
	for rank, found := range sources.top(5) {
		if number := found.key.Addr().As4()[3]; number > 4 || found.packets < truth[found.key] || found.packets-found.error > truth[found.key] {
			t.Errorf("rank %d: %+v, really %d", rank, found, truth[found.key])
		}
	}
	if len(sources.byKey) != 64 || len(sources.queue) != 64 {
		t.Errorf("%d sources are tracked", len(sources.byKey))
	}
}
