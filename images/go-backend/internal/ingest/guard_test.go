package ingest

import (
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/guard"
	"triptych.dev/go-backend/internal/xdp"
)

// judged is a node whose program has rules.
type judged struct {
	*node
	attachment *xdp.Attachment
	guard      *guard.Guard
	revision   uint64
}

func startJudged(t *testing.T, mode Mode) *judged {
	t.Helper()
	enterNamespace(t)
	program := load(t)
	tables := program.Tables()
	t.Cleanup(func() { tables.Close() })
	attachment := attachWith(t, program, xdp.Options{Mode: xdpModes[mode]})
	made := &judged{attachment: attachment, guard: guard.New(tables, nil)}
	made.node = startOn(t, attachment, mode, Options{Ports: []uint16{514, 2055}})
	return made
}

// apply makes rules the node's; every rule is about datagrams from the remote end to port 514.
func (j *judged) apply(t *testing.T, rules ...*guard.Rule) {
	t.Helper()
	j.revision++
	for _, rule := range rules {
		rule.Prefix, rule.Protocol = netip.PrefixFrom(remote4, 32), protocolUDP
		for i := range rule.Ports {
			rule.Ports[i] = guard.PortRange{First: 0xffff}
		}
		rule.Ports[0] = guard.PortRange{First: 514, Last: 514}
	}
	_, err := j.guard.Apply(&guard.Change{Number: j.revision, Upserts: rules})
	must(t, err)
}

// verdicts of datagrams, without those that passed to the network stack.
func (j *judged) verdicts(t *testing.T) map[xdp.Verdict]uint64 {
	t.Helper()
	counters, err := j.attachment.VerdictCounters()
	must(t, err)
	found := map[xdp.Verdict]uint64{}
	for _, counter := range counters {
		if counter.Protocol == "udp" && counter.Packets > 0 && (counter.Verdict.Drops() || counter.Verdict == xdp.RedirectIngest) {
			found[counter.Verdict] = counter.Packets
		}
	}
	return found
}

// TestRulesComeBeforeTheIngest: what a rule drops never reaches the ingest's account, only the guard's.
func TestRulesComeBeforeTheIngest(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) { rulesComeBeforeTheIngest(t, startJudged(t, mode)) })
	}
}

func rulesComeBeforeTheIngest(t *testing.T, node *judged) {
	const count = 50
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	wire := newWire(t)
	send := func() {
		for range count {
			wire.send(t, to4(514).frame([]byte("a")), to6(514).frame([]byte("b")), to4(2055).frame([]byte("c")))
		}
	}
	steps := []struct {
		name                 string
		rules                []*guard.Rule
		received             uint64 // of port 514, IPv6 included
		denied, beyond, hits uint64
	}{
		{"no rule", nil, 2 * count, 0, 0, 0},
		{"deny", []*guard.Rule{{ID: "a", Effect: guard.Effect{Action: xdp.ActionDeny}}}, count, count, 0, count},
		{"count only", []*guard.Rule{{ID: "a", Effect: guard.Effect{Action: xdp.ActionDeny, CountOnly: true}}}, 2 * count, 0, 0, count},
		{"rate", []*guard.Rule{{ID: "a", Effect: guard.Effect{
			Action: xdp.ActionRate, Limit: guard.RateLimit{PacketsPerSecond: 1, PacketsBurst: 5},
		}}}, count + 5, 0, count - 5, count},
	}
	var total, others uint64
	want := map[xdp.Verdict]uint64{}
	for _, step := range steps {
		node.apply(t, step.rules...)
		send()
		total, others = total+step.received, others+count
		receive(t, stream, int(step.received+count))
		if first, second := node.settled(t, 514, total), node.settled(t, 2055, others); first.delivered != total || second.delivered != others {
			t.Errorf("%s: %+v, %+v", step.name, first, second)
		}
		want[xdp.RedirectIngest] = total + others
		want[xdp.DropDenied] += step.denied
		want[xdp.DropPacketLimit] += step.beyond
		for verdict, got := range node.verdicts(t) {
			if got != want[verdict] {
				t.Errorf("%s: %d datagrams %s, want %v", step.name, got, verdict, want)
			}
		}
		_, inForce := node.guard.Current()
		counters, err := node.guard.Counters(inForce)
		must(t, err)
		if len(step.rules) > 0 && counters[0].Packets != step.hits {
			t.Errorf("%s: rule counted %+v, want %d", step.name, counters[0], step.hits)
		}
	}
}

// TestSocketsSurviveAProgramUpdate puts one program after the other into the pinned link while datagrams arrive: the
// sockets go on, and not one is lost.
func TestSocketsSurviveAProgramUpdate(t *testing.T) {
	const updates = 40
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			enterNamespace(t)
			pins := bpffs(t)
			attachment := attachWith(t, load(t), xdp.Options{Mode: xdpModes[mode], PinPath: pins})
			node := startOn(t, attachment, mode, Options{Ports: []uint16{514}, SubscriptionDatagrams: 1 << 15})
			stream := node.subscribe(t, t.Context(), &ingestv1.SubscribeRequest{MaxBatch: maxBatch})
			programs := twoPrograms(t, attachment)
			pinned := pinnedLink(t, pins)
			wire, frame, sent, stop := newWire(t), to4(514).frame([]byte("hello")), make(chan int), make(chan struct{})
			go func() { sent <- sendUntilStopped(wire, frame, stop) }()
			var arrived atomic.Int64
			go countArrivals(stream, &arrived)
			for update := range updates {
				next := programs[(update+1)%2]
				must(t, pinned.Update(next))
				if attached := device(t, uplink).Attrs().Xdp.ProgId; attached != idOf(t, next) {
					t.Fatalf("update %d: program %d is attached", update, attached)
				}
				time.Sleep(5 * time.Millisecond)
			}
			close(stop)
			count := <-sent
			eventually(t, "the client has every datagram", func() bool { return arrived.Load() == int64(count) })
			if now := node.settled(t, 514, uint64(count)); now.delivered != uint64(count) || count < updates {
				t.Errorf("%d sent in %d updates, account %+v", count, updates, now)
			}
			if now, reason := node.Mode(); now != mode {
				t.Errorf("mode %s: %s", now, reason)
			}
		})
	}
}

// countArrivals reads as datagrams come: however long the updates take, none waits for longer than there is room.
func countArrivals(stream responses, arrived *atomic.Int64) {
	for response, err := stream.Recv(); err == nil; response, err = stream.Recv() {
		arrived.Add(int64(len(response.Datagrams)))
	}
}

// twoPrograms are the attached one, and another one that does nothing but call it.
func twoPrograms(t *testing.T, attachment *xdp.Attachment) [2]*ebpf.Program {
	t.Helper()
	own, err := ebpf.NewProgramFromID(ebpf.ProgramID(attachment.State().ProgramID))
	must(t, err)
	t.Cleanup(func() { own.Close() })
	targets, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ProgramArray, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	must(t, err)
	t.Cleanup(func() { targets.Close() })
	other, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "GPL", Flags: unix.BPF_F_XDP_HAS_FRAGS,
		Instructions: asm.Instructions{
			asm.LoadMapPtr(asm.R2, targets.FD()), asm.Mov.Imm(asm.R3, 0), asm.FnTailCall.Call(), asm.Mov.Imm(asm.R0, 0), asm.Return(),
		},
	})
	must(t, err)
	t.Cleanup(func() { other.Close() })
	must(t, targets.Put(uint32(0), own))
	return [2]*ebpf.Program{own, other}
}

func idOf(t *testing.T, program *ebpf.Program) uint32 {
	t.Helper()
	info, err := program.Info()
	must(t, err)
	id, _ := info.ID()
	return uint32(id)
}

func pinnedLink(t *testing.T, pins string) link.Link {
	t.Helper()
	found, err := link.LoadPinnedLink(filepath.Join(pins, "go-backend-"+uplink), nil)
	must(t, err)
	t.Cleanup(func() { found.Close() })
	return found
}

// sendUntilStopped returns how many frames left.
func sendUntilStopped(wire *wire, frame []byte, stop <-chan struct{}) int {
	sent := 0
	for {
		select {
		case <-stop:
			return sent
		default:
		}
		if wire.trySend(frame) == nil {
			sent++
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// TestPinnedProgramMeetsItsNextProcess: after a restart another program is in the pinned link, and has AF_XDP sockets.
func TestPinnedProgramMeetsItsNextProcess(t *testing.T) {
	enterNamespace(t)
	options := xdp.Options{Mode: xdp.ModeNative, PinPath: bpffs(t)}
	for round := range 3 {
		attachment := attachWith(t, load(t), options)
		node := startOn(t, attachment, ModeNative, Options{Ports: []uint16{514}})
		stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
		exchange(t, stream, 1000)
		if now := node.settled(t, 514, 1000); now.delivered != 1000 {
			t.Errorf("round %d: %+v", round, now)
		}
		node.stop(t)
		must(t, attachment.Close())
	}
}

// bpffs mounts a BPF file system of the test's own.
func bpffs(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	must(t, unix.Mount("bpf", directory, "bpf", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(directory, unix.MNT_DETACH)) })
	return directory
}
