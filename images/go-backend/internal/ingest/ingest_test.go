package ingest

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/slotpool"
)

var allModes = []Mode{ModeNative, ModeGeneric, ModeSocket}

// hardware is the uplink's own address: without it the network stack takes frames for somebody else's.
func hardware(t testing.TB) net.HardwareAddr {
	return device(t, uplink).Attrs().HardwareAddr
}

func TestDatagramsArriveAsSent(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			node := startNode(t, mode, Options{Ports: []uint16{514, 2055}})
			stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
			shapes := []builder{to4(514), to6(514), to4(2055), to6(2055)}
			if mode != ModeSocket { // sockets get tagged frames from a VLAN interface only
				tagged, nested := to4(514), to6(2055)
				tagged.tags, nested.tags = []uint16{typeVLAN}, []uint16{typeQinQ, typeVLAN}
				tagged.options = 2
				shapes = append(shapes, tagged, nested)
			}
			wire, before := newWire(t), time.Now()
			type sent struct {
				builder
				payload []byte
			}
			expected, count := map[uint16]sent{}, map[uint16]uint64{} // by source port, by port
			for i := range 300 {
				shape := shapes[i%len(shapes)]
				shape.mac = hardware(t)
				shape.from = netip.AddrPortFrom(shape.from.Addr(), uint16(1000+i))
				payload := bytes.Repeat([]byte{byte(i)}, i*4)
				expected[shape.from.Port()] = sent{shape, payload}
				count[shape.to.Port()]++
				wire.send(t, shape.frame(payload))
			}
			last := map[uint32]uint64{}
			for _, got := range receive(t, stream, 300) {
				want, known := expected[uint16(got.SourcePort)]
				delete(expected, uint16(got.SourcePort))
				last[got.Port]++
				if !known || got.Port != uint32(want.to.Port()) || got.Sequence != last[got.Port] ||
					!bytes.Equal(got.Payload, want.payload) || !bytes.Equal(got.SourceAddress, want.from.Addr().AsSlice()) {
					t.Fatalf("port %d, sequence %d, %d bytes from %s port %d; known: %t", got.Port, got.Sequence,
						len(got.Payload), net.IP(got.SourceAddress), got.SourcePort, known)
				}
				if at := time.Unix(0, int64(got.ReceiveTimeUnixNano)); at.Before(before) || at.After(time.Now()) {
					t.Fatalf("received at %s, sent after %s", at, before)
				}
			}
			for port, sent := range count {
				if now := node.settled(t, port, sent); now.delivered != sent {
					t.Errorf("port %d: %+v", port, now)
				}
			}
			node.slotsAtRest(t)
		})
	}
}

func TestBrokenDatagramsAreCountedByCause(t *testing.T) {
	node := startNode(t, ModeNative, Options{Ports: []uint16{514}, VerifyUDPChecksum: true})
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	wire := newWire(t)
	long, wrong := to4(514), to6(514)
	long.mutateUDP = func(header []byte) { header[4] = 9 }
	wrong.mutateUDP = func(header []byte) { header[6]++ }
	wire.send(t, long.frame([]byte("long")), wrong.frame([]byte("wrong")), wrong.frame([]byte("wrong")), to4(514).frame([]byte("fine")))
	if got := receive(t, stream, 1)[0]; string(got.Payload) != "fine" || got.Sequence != 1 {
		t.Errorf("datagram %v", got)
	}
	now := node.settled(t, 514, 4)
	if want := (losses{malformed: 1, badChecksum: 2}); now.dropped != want || now.delivered != 1 {
		t.Errorf("account %+v, want losses %v", now, want)
	}
}

// TestLossesAreReportedWithoutDatagrams has a client that nothing is left for.
func TestLossesAreReportedWithoutDatagrams(t *testing.T) {
	node := startNode(t, ModeNative, Options{Ports: []uint16{514}})
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	broken := to4(514)
	broken.mutateUDP = func(header []byte) { header[4] = 9 }
	newWire(t).send(t, broken.frame(nil), broken.frame(nil), broken.frame(nil))
	response, err := stream.Recv()
	must(t, err)
	lost := &ingestv1.Loss{Cause: ingestv1.DropCause_DROP_CAUSE_MALFORMED, Datagrams: 3}
	want := &ingestv1.SubscribeResponse{Losses: []*ingestv1.PortLoss{{Port: 514, Losses: []*ingestv1.Loss{lost}}}}
	if !proto.Equal(response, want) {
		t.Errorf("response %v", response)
	}
}

func TestOversizedDatagramsOfSockets(t *testing.T) {
	node := startNode(t, ModeSocket, Options{Ports: []uint16{514}, DatagramBytes: 512})
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	fits, long := to4(514), to4(514)
	fits.mac, long.mac = hardware(t), hardware(t)
	newWire(t).send(t, long.frame(make([]byte, 513)), fits.frame(make([]byte, 512)))
	if got := receive(t, stream, 1)[0]; len(got.Payload) != 512 {
		t.Errorf("%d bytes", len(got.Payload))
	}
	if now := node.settled(t, 514, 2); now.dropped != (losses{oversized: 1}) {
		t.Errorf("account %+v", now)
	}
}

// TestWhatIsNotOursPasses: other ports, other nodes' addresses and fragments stay with the network stack. A fragmented
// datagram still arrives, put together by it.
func TestWhatIsNotOursPasses(t *testing.T) {
	node := startNode(t, ModeNative, Options{Ports: []uint16{514}})
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	other, err := net.ListenPacket("udp", "0.0.0.0:515")
	must(t, err)
	defer other.Close()
	foreign, neighbour := to4(514), to4(515)
	foreign.to = netip.MustParseAddrPort("10.9.0.77:514")
	foreign.mac, neighbour.mac = hardware(t), hardware(t)
	neighbour.noChecksum = true
	wire := newWire(t)
	wire.send(t, foreign.frame([]byte("foreign")), neighbour.frame([]byte("neighbour")))
	buffer := make([]byte, 100)
	must(t, other.SetReadDeadline(time.Now().Add(patience)))
	length, _, err := other.ReadFrom(buffer)
	if err != nil || string(buffer[:length]) != "neighbour" {
		t.Fatalf("%q, %v", buffer[:length], err)
	}
	if now := node.account(t, 514); now.received != 0 {
		t.Fatalf("account %+v", now)
	}
	payload := bytes.Repeat([]byte("0123456789abcdef"), 100)
	wire.send(t, fragments(t, payload)...)
	if got := receive(t, stream, 1)[0]; !bytes.Equal(got.Payload, payload) {
		t.Errorf("%d bytes, want %d", len(got.Payload), len(payload))
	}
}

// fragments cuts one datagram into two frames.
func fragments(t *testing.T, payload []byte) [][]byte {
	t.Helper()
	const cut = 800 // a multiple of 8
	whole := to4(514)
	whole.mac, whole.noChecksum = hardware(t), true
	transport := whole.udp(payload)
	var frames [][]byte
	for _, piece := range []struct {
		bits uint16
		data []byte
	}{{0x2000, transport[:cut]}, {cut / 8, transport[cut:]}} {
		part := whole
		part.fragmentBits = piece.bits
		header := part.ipv4(len(piece.data))
		frame := whole.frame(nil)[:14]
		frames = append(frames, append(append(frame, header...), piece.data...))
	}
	return frames
}

func TestAddressesAreFollowed(t *testing.T) {
	node := startNode(t, ModeNative, Options{Ports: []uint16{514}})
	stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
	parsed, err := netlink.ParseAddr("10.9.7.1/24")
	must(t, err)
	frame := to4(514)
	frame.to = netip.MustParseAddrPort("10.9.7.1:514")
	wire := newWire(t)
	must(t, netlink.AddrAdd(device(t, uplink), parsed))
	eventually(t, "datagrams to the new address arrive", func() bool {
		wire.send(t, frame.frame([]byte("new")))
		return node.account(t, 514).received > 0
	})
	receive(t, stream, 1)
	must(t, netlink.AddrDel(device(t, uplink), parsed))
	eventually(t, "datagrams to the removed address stay away", func() bool {
		before := node.account(t, 514).received
		wire.send(t, frame.frame([]byte("old")))
		time.Sleep(2 * time.Millisecond)
		return node.account(t, 514).received == before
	})
}

func TestNobodySubscribed(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			node := startNode(t, mode, Options{Ports: []uint16{514}})
			frame := to4(514)
			frame.mac = hardware(t)
			wire := newWire(t)
			for range 5000 { // more than all slots of the kernel
				wire.send(t, frame.frame([]byte("nobody")))
			}
			if now := node.settled(t, 514, 5000); now.dropped[noSubscriber]+now.dropped[receiveQueueFull] != 5000 || now.dropped[noSubscriber] == 0 {
				t.Errorf("account %+v", now)
			}
		})
	}
}

// TestRestart: a second ingest on the same program begins its account at nothing.
func TestRestart(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeSocket} {
		t.Run(string(mode), func(t *testing.T) {
			enterNamespace(t)
			attachment := attach(t, mode)
			for range 3 {
				node := startOn(t, attachment, mode, Options{Ports: []uint16{514}})
				stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
				frame := to4(514)
				frame.mac = hardware(t)
				newWire(t).send(t, frame.frame([]byte("one")), frame.frame([]byte("two")))
				if got := receive(t, stream, 2); string(got[1].Payload) != "two" || got[1].Sequence != 2 {
					t.Errorf("datagrams %v", got)
				}
				node.settled(t, 514, 2)
				node.stop(t)
			}
		})
	}
}

func TestWithoutCapabilities(t *testing.T) {
	tests := []struct {
		name   string
		kept   []int
		mode   Mode
		reason string
	}{
		{"none", nil, ModeSocket, "the capability NET_RAW is needed"},
		{"no memory lock", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW}, ModeSocket, "the capability IPC_LOCK or a higher memlock limit"},
		{"all", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_IPC_LOCK}, ModeNative, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			withoutMemlock(t)
			node := startReduced(t, test.kept)
			mode, reason := node.Mode()
			if mode != test.mode || !bytes.Contains([]byte(reason), []byte(test.reason)) {
				t.Fatalf("mode %s, reason %q", mode, reason)
			}
			stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
			client, err := net.Dial("udp4", "127.0.0.1:5514")
			must(t, err)
			defer client.Close()
			_, err = client.Write([]byte("hello"))
			must(t, err)
			if got := receive(t, stream, 1)[0]; string(got.Payload) != "hello" {
				t.Errorf("datagram %v", got)
			}
		})
	}
}

// TestWithoutHugepages wants more than the machine has: ordinary pages do, and the queue says why.
func TestWithoutHugepages(t *testing.T) {
	pools, err := host.New().HugepagePools()
	must(t, err)
	pages := 0
	for _, pool := range pools {
		if pool.PageSizeBytes == slotpool.HugepageBytes {
			pages = int(pool.TotalPages)
		}
	}
	const share = 64 // pages of a subscription
	options := Options{
		Ports: []uint16{514}, Queues: 1, Subscriptions: pages/share + 1,
		SubscriptionDatagrams: share * slotpool.HugepageBytes / DefaultDatagramBytes,
	}
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			node := startNode(t, mode, options)
			stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{})
			exchange(t, stream, 1000)
			for _, queue := range node.Snapshot().Queues {
				if queue.PageKind != ingestv1.PageKind_PAGE_KIND_ORDINARY || !strings.Contains(queue.Reason, "set vm.nr_hugepages") {
					t.Errorf("queue %v", queue)
				}
			}
		})
	}
}

func TestPortErrorsNameTheFix(t *testing.T) {
	enterNamespace(t)
	busy, err := net.ListenPacket("udp", ":514")
	must(t, err)
	defer busy.Close()
	start := func(port uint16) error {
		_, err := Start(Options{Ports: []uint16{port}}, Source{}, host.New())
		return err
	}
	if err := start(514); err == nil || !strings.Contains(err.Error(), "UDP port 514 is in use by another process") {
		t.Errorf("error %v", err)
	}
	keepCapabilities(t, nil)
	if err := start(515); err == nil || !strings.Contains(err.Error(), "needs the capability NET_BIND_SERVICE") {
		t.Errorf("error %v", err)
	}
}

func TestSubscriptionErrors(t *testing.T) {
	node := startNode(t, ModeSocket, Options{Ports: []uint16{514}, Subscriptions: 1})
	tests := map[string]*ingestv1.SubscribeRequest{
		"NotFound":          {Ports: []uint32{515}},
		"InvalidArgument 1": {Ports: []uint32{70_000}},
		"InvalidArgument 2": {MaxBatch: maxBatch + 1},
		"InvalidArgument 3": {MaxLatency: latency(-1)},
		"InvalidArgument 4": {MaxLatency: latency(time.Hour)},
	}
	for want, request := range tests {
		checkCode(t, node, request, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stream := node.subscribe(t, ctx, &ingestv1.SubscribeRequest{})
	checkCode(t, node, &ingestv1.SubscribeRequest{}, "ResourceExhausted")
	cancel()
	_, err := stream.Recv()
	if err == nil {
		t.Error("a cancelled stream goes on")
	}
	eventually(t, "the subscription is given back", func() bool { return len(node.Snapshot().Subscriptions) == 0 })
	again := node.subscribe(t, t.Context(), &ingestv1.SubscribeRequest{})
	node.Stop()
	if _, err := again.Recv(); codeOf(err) != "Unavailable" {
		t.Errorf("error %v after the stop", err)
	}
}
