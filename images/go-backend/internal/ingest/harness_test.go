package ingest

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/xdp"
)

// node is an ingest in a namespace of its own, with its API.
type node struct {
	*Ingest
	client ingestv1.IngestServiceClient
	closed bool
}

// xdpModes says how the program is attached for each way to receive.
var xdpModes = map[Mode]xdp.Mode{ModeNative: xdp.ModeNative, ModeGeneric: xdp.ModeGeneric, ModeSocket: xdp.ModeOff}

// startNode enters a namespace and starts an ingest that must obtain the mode.
func startNode(t testing.TB, mode Mode, options Options) *node {
	t.Helper()
	enterNamespace(t)
	return startOn(t, attach(t, mode), mode, options)
}

func attach(t testing.TB, mode Mode) *xdp.Attachment {
	t.Helper()
	return attachWith(t, load(t), xdp.Options{Mode: xdpModes[mode]})
}

func load(t testing.TB) *xdp.Program {
	t.Helper()
	program, err := xdp.Load(xdp.LoadOptions{})
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

// attachWith attaches to the uplink.
func attachWith(t testing.TB, program *xdp.Program, options xdp.Options) *xdp.Attachment {
	t.Helper()
	options.Interface, options.Force = uplink, true
	attachment, err := xdp.Attach(program, nil, options)
	must(t, err)
	t.Cleanup(func() { attachment.Close() })
	return attachment
}

func startOn(t testing.TB, attachment *xdp.Attachment, mode Mode, options Options) *node {
	t.Helper()
	source, err := SourceOf(attachment)
	must(t, err)
	started, err := Start(options, source, host.New())
	must(t, err)
	made := &node{Ingest: started}
	t.Cleanup(func() { made.stop(t) })
	if obtained, reason := started.Mode(); obtained != mode {
		t.Fatalf("mode %s, want %s: %s", obtained, mode, reason)
	}
	made.client = serve(t, started)
	return made
}

// stop closes once; the tests look at the counters afterwards.
func (n *node) stop(t testing.TB) {
	t.Helper()
	if !n.closed {
		n.closed = true
		must(t, n.Close())
	}
}

func serve(t testing.TB, started *Ingest) ingestv1.IngestServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	ingestv1.RegisterIngestServiceServer(server, NewService(started))
	go server.Serve(listener)
	t.Cleanup(func() { started.Stop(); server.Stop() })
	connection, err := grpc.NewClient("passthrough:ingest", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	must(t, err)
	t.Cleanup(func() { connection.Close() })
	return ingestv1.NewIngestServiceClient(connection)
}

type responses = grpc.ServerStreamingClient[ingestv1.SubscribeResponse]

// subscribe returns when the server has the subscription.
func (n *node) subscribe(t testing.TB, ctx context.Context, request *ingestv1.SubscribeRequest) responses {
	t.Helper()
	before := len(n.Snapshot().Subscriptions)
	stream, err := n.client.Subscribe(ctx, request)
	must(t, err)
	eventually(t, "the subscription begins", func() bool { return len(n.Snapshot().Subscriptions) == before+1 })
	return stream
}

func latency(duration time.Duration) *durationpb.Duration {
	return durationpb.New(duration)
}

// receive reads batches until it has a number of datagrams; their order must be that of their sequence.
func receive(t testing.TB, stream responses, count int) []*ingestv1.Datagram {
	t.Helper()
	var all []*ingestv1.Datagram
	for len(all) < count {
		response, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d of %d datagrams: %v", len(all), count, err)
		}
		all = append(all, response.Datagrams...)
	}
	return all
}

// account checks received = delivered + dropped + pending for every port, and returns the one asked for.
func (n *node) account(t testing.TB, port uint16) *counters {
	t.Helper()
	var found *counters
	for _, stream := range n.streams {
		now, _ := stream.snapshot()
		if now.received != now.delivered+now.dropped.sum()+now.pending {
			t.Fatalf("port %d does not add up: %+v", stream.port, now)
		}
		if stream.port == port {
			found = &now
		}
	}
	return found
}

// settled waits until a number of datagrams has arrived and none is on its way, and returns the account.
func (n *node) settled(t testing.TB, port uint16, received uint64) *counters {
	t.Helper()
	var now *counters
	eventually(t, fmt.Sprintf("%d datagrams are settled", received), func() bool {
		now = n.account(t, port)
		return now.received == received && now.pending == 0
	})
	return now
}

// slotsAtRest waits until subscriptions hold no slot any more.
func (n *node) slotsAtRest(t testing.TB) {
	t.Helper()
	eventually(t, "no slot is in use", func() bool {
		used := uint32(0)
		for _, queue := range n.Snapshot().Queues {
			used += queue.SlotsInUse
		}
		return used == 0
	})
}

// bounded is the context of a stream that must not wait for ever.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}
