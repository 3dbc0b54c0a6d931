package ingest

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/xdp"
)

// obtains waits for a mode and a reason, while the program and the ingest follow the interface. Both do so on the
// test's thread, which alone is in the test's namespace.
func (n *node) obtains(t *testing.T, attachment *xdp.Attachment, mode Mode, reason string) {
	t.Helper()
	eventually(t, "mode "+string(mode)+" because of "+reason, func() bool {
		for _, watch := range []func(context.Context, time.Duration){attachment.Watch, n.Watch} {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
			watch(ctx, time.Millisecond)
			cancel()
		}
		now, why := n.Mode()
		return now == mode && strings.Contains(why, reason) && (reason != "" || why == "")
	})
}

// exchange sends datagrams one round after the other and reads them.
func exchange(t *testing.T, stream responses, count int) {
	t.Helper()
	const round = 100
	// Some time after its carrier is back the kernel lets an interface send again.
	eventually(t, remote+" sends", func() bool { return device(t, remote).Attrs().OperState == netlink.OperUp })
	shape := to4(514)
	shape.mac = hardware(t)
	wire, frame := newWire(t), shape.frame(make([]byte, 100))
	for range count / round {
		for range round {
			wire.send(t, frame)
		}
		receive(t, stream, round)
	}
}

// TestInterfaceReturns has the interface go in the middle of a flood and come back, again and again, while a client
// holds datagrams of the first one: nothing is lost but what the kernel threw away with the interface, and no slot.
func TestInterfaceReturns(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			enterNamespace(t)
			attachment := attach(t, mode)
			node := startOn(t, attachment, mode, Options{Ports: []uint16{514}, Subscriptions: 2})
			stalling, end := context.WithCancel(t.Context())
			defer end()
			node.subscribe(t, stalling, &ingestv1.SubscribeRequest{}) // never read
			queues := len(node.Snapshot().Queues)
			for round := range 3 {
				ctx, leave := context.WithCancel(bounded(t))
				stream := node.subscribe(t, ctx, &ingestv1.SubscribeRequest{MaxBatch: maxBatch})
				exchange(t, stream, 3*ringSize)
				leave()
				eventually(t, "the client is gone", func() bool { return len(node.Snapshot().Subscriptions) == 1 })
				flood(t, newWire(t), []uint16{514}, time.Now().Add(20*time.Millisecond))
				must(t, netlink.LinkDel(device(t, uplink)))
				node.obtains(t, attachment, ModeSocket, "interface "+uplink+" vanished")
				if open := node.openSocketCount(); open != 0 {
					t.Errorf("%d AF_XDP sockets are open", open)
				}
				sendLocally(t)
				addUplink(t)
				node.obtains(t, attachment, mode, "")
				node.account(t, 514)
				if now := node.Snapshot().Queues; len(now) != queues || now[0].SlotsInUse == 0 {
					t.Errorf("round %d: queues %v", round, now)
				}
			}
			end()
			node.slotsAtRest(t)
		})
	}
}

// sendLocally sends to a socket without any interface but the loopback.
func sendLocally(t *testing.T) {
	t.Helper()
	client, err := net.Dial("udp4", "127.0.0.1:514")
	must(t, err)
	defer client.Close()
	_, err = client.Write([]byte("local"))
	must(t, err)
}

// TestVanishedInterface: sockets go on, on the interfaces that are left, and a client notices nothing else.
func TestVanishedInterface(t *testing.T) {
	enterNamespace(t)
	attachment := attach(t, ModeNative)
	node := startOn(t, attachment, ModeNative, Options{Ports: []uint16{514}})
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	newWire(t).send(t, to4(514).frame([]byte("first")))
	receive(t, stream, 1)
	must(t, netlink.LinkDel(device(t, uplink)))
	eventually(t, "sockets take over", func() bool { mode, reason := node.Mode(); return mode == ModeSocket && reason != "" })
	sendLocally(t)
	if got := receive(t, stream, 1)[0]; string(got.Payload) != "local" || got.Sequence != 2 {
		t.Errorf("datagram %v", got)
	}
	addUplink(t)
	node.obtains(t, attachment, ModeNative, "")
	newWire(t).send(t, to4(514).frame([]byte("third")))
	if got := receive(t, stream, 1)[0]; string(got.Payload) != "third" || got.Sequence != 3 {
		t.Errorf("datagram %v", got)
	}
	node.settled(t, 514, 3)
}

// TestInterfaceDownAndUp: the sockets stay, and the reason says why nothing comes.
func TestInterfaceDownAndUp(t *testing.T) {
	tests := map[string]struct{ end, reason string }{
		"down":       {uplink, "interface " + uplink + " is down"},
		"no carrier": {remote, "interface " + uplink + " has no carrier"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			enterNamespace(t)
			attachment := attach(t, ModeNative)
			node := startOn(t, attachment, ModeNative, Options{Ports: []uint16{514}})
			stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
			for round := range 3 {
				exchange(t, stream, 1000)
				must(t, netlink.LinkSetDown(device(t, test.end)))
				node.obtains(t, attachment, ModeSocket, test.reason)
				must(t, netlink.LinkSetUp(device(t, test.end)))
				node.obtains(t, attachment, ModeNative, "")
				if now := node.account(t, 514); now.received != uint64(round+1)*1000 || now.delivered != now.received {
					t.Errorf("account %+v", now)
				}
			}
		})
	}
}

// TestAFXDPIsTakenWhenItBecomesPossible: another program was there first, and goes.
func TestAFXDPIsTakenWhenItBecomesPossible(t *testing.T) {
	enterNamespace(t)
	first, second := attach(t, ModeNative), attach(t, ModeNative)
	node := startOn(t, second, ModeSocket, Options{Ports: []uint16{514}})
	if _, reason := node.Mode(); !strings.Contains(reason, "observe only") {
		t.Errorf("reason %q", reason)
	}
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	exchange(t, stream, 1000)
	must(t, first.Close())
	node.obtains(t, second, ModeNative, "")
	exchange(t, stream, 1000)
	if now := node.account(t, 514); now.delivered != 2000 {
		t.Errorf("account %+v", now)
	}
}

// TestRefusedAFXDPIsTriedAgain: somebody else has the queue for a while.
func TestRefusedAFXDPIsTriedAgain(t *testing.T) {
	enterNamespace(t)
	attachment := attach(t, ModeNative)
	first := startOn(t, attachment, ModeNative, Options{Ports: []uint16{514}})
	source, err := SourceOf(attachment)
	must(t, err)
	started, err := Start(Options{Ports: []uint16{515}}, source, first.machine)
	must(t, err)
	second := &node{Ingest: started}
	t.Cleanup(func() { second.stop(t) })
	if mode, reason := second.Mode(); mode != ModeSocket || !strings.Contains(reason, "another program has a socket there") || len(second.queues) != 0 {
		t.Fatalf("mode %s, reason %q, %d queues", mode, reason, len(second.queues))
	}
	first.stop(t)
	second.obtains(t, attachment, ModeNative, "")
}
