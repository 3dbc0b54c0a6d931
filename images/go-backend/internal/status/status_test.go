package status

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/xdp"
)

type fakeFastpath struct {
	state    xdp.State
	counters []xdp.Counter
	err      error
}

func (f fakeFastpath) State() xdp.State                 { return f.state }
func (f fakeFastpath) Counters() ([]xdp.Counter, error) { return f.counters, f.err }

type fakeGuard struct{}

func (fakeGuard) Status() *statusv1.GuardStatus {
	return &statusv1.GuardStatus{Enforcement: &guardv1.Enforcement{Enforcing: true}, Revision: 3, Rules: 2}
}

type fakeIngest struct{}

func (fakeIngest) Status() *statusv1.IngestStatus {
	return &statusv1.IngestStatus{
		Mode: ingestv1.IngestMode_INGEST_MODE_SOCKET, Reason: "no driver", Ports: []uint32{514},
		Queues: []*ingestv1.Queue{{Name: "socket-0", Slots: 64}}, Subscriptions: 1,
	}
}

func newService(identity Identity, fastpath Fastpath, machine Machine) *Service {
	return New(identity, Node{Fastpath: fastpath, Machine: machine, Guard: fakeGuard{}, Ingest: fakeIngest{}})
}

type fakeMachine struct {
	nodes             []host.NumaNode
	pools             []host.HugepagePool
	nodesErr, poolErr error
}

func (f fakeMachine) NumaNodes() ([]host.NumaNode, error)         { return f.nodes, f.nodesErr }
func (f fakeMachine) HugepagePools() ([]host.HugepagePool, error) { return f.pools, f.poolErr }

// ask serves over an in-memory connection, so that messages are really encoded and decoded.
func ask(t *testing.T, service *Service) (*statusv1.GetStatusResponse, error) {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	statusv1.RegisterStatusServiceServer(server, service)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient("passthrough:status", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return statusv1.NewStatusServiceClient(connection).GetStatus(t.Context(), &statusv1.GetStatusRequest{})
}

func TestGetStatus(t *testing.T) {
	started := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	modes := map[xdp.Mode]statusv1.XdpMode{
		xdp.ModeNative:  statusv1.XdpMode_XDP_MODE_NATIVE,
		xdp.ModeGeneric: statusv1.XdpMode_XDP_MODE_GENERIC,
		xdp.ModeOff:     statusv1.XdpMode_XDP_MODE_OFF,
	}
	for mode, wantMode := range modes {
		service := newService(
			Identity{Version: "1.2.3", NodeName: "worker", KernelRelease: "6.18.0", StartedAt: started},
			fakeFastpath{
				state:    xdp.State{Mode: mode, Interface: "eth0", InterfaceIndex: 2, ProgramID: 7, Reason: "because"},
				counters: []xdp.Counter{{Protocol: "tcp", Packets: 1, Bytes: 60}, {Protocol: "arp"}},
			},
			fakeMachine{
				nodes: []host.NumaNode{{ID: 0, CPUs: "0-1", MemoryBytes: 1}, {ID: 1, MemoryBytes: 2}},
				pools: []host.HugepagePool{{PageSizeBytes: 2 << 20, TotalPages: 64, FreePages: 60}},
			})
		got, err := ask(t, service)
		if err != nil {
			t.Fatal(err)
		}
		want := &statusv1.GetStatusResponse{
			Version: "1.2.3", NodeName: "worker", KernelRelease: "6.18.0", StartedAt: timestamppb.New(started),
			Xdp:           &statusv1.XdpStatus{Mode: wantMode, Interface: "eth0", InterfaceIndex: 2, ProgramId: 7, Reason: "because"},
			NumaNodes:     []*statusv1.NumaNode{{Id: 0, Cpus: "0-1", MemoryBytes: 1}, {Id: 1, MemoryBytes: 2}},
			HugepagePools: []*statusv1.HugepagePool{{PageSizeBytes: 2 << 20, TotalPages: 64, FreePages: 60}},
			Counters:      []*statusv1.ProtocolCounter{{Protocol: "tcp", Packets: 1, Bytes: 60}, {Protocol: "arp"}},
			Guard:         fakeGuard{}.Status(), Ingest: fakeIngest{}.Status(),
		}
		if !proto.Equal(got, want) {
			t.Errorf("status\n%v, want\n%v", got, want)
		}
	}
}

func TestUnreadablePartsAreNamed(t *testing.T) {
	broken := errors.New("broken")
	for want, service := range map[string]*Service{
		"cannot read NUMA nodes: broken": newService(Identity{}, fakeFastpath{}, fakeMachine{nodesErr: broken}),
		"cannot read hugepages: broken":  newService(Identity{}, fakeFastpath{}, fakeMachine{poolErr: broken}),
		"cannot read counters: broken":   newService(Identity{}, fakeFastpath{err: broken}, fakeMachine{}),
	} {
		_, err := ask(t, service)
		if status := grpcstatus.Convert(err); status.Code() != codes.Internal || status.Message() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
