// Package status serves status.v1: what this node's fast path is and does.
package status

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/xdp"
)

// Fastpath is the attached program, or the reason why there is none.
type Fastpath interface {
	State() xdp.State
	Counters() ([]xdp.Counter, error)
}

// Machine is what the node offers.
type Machine interface {
	NumaNodes() ([]host.NumaNode, error)
	HugepagePools() ([]host.HugepagePool, error)
}

// Guard is what judges packets.
type Guard interface {
	Status() *statusv1.GuardStatus
}

// Ingest is what takes datagrams.
type Ingest interface {
	Status() *statusv1.IngestStatus
}

// Node are the parts that are reported on.
type Node struct {
	Fastpath Fastpath
	Machine  Machine
	Guard    Guard
	Ingest   Ingest
}

// Identity is what does not change while the process lives.
type Identity struct {
	Version       string
	NodeName      string
	KernelRelease string
	StartedAt     time.Time
}

// Service implements status.v1.StatusService.
type Service struct {
	statusv1.UnimplementedStatusServiceServer
	identity Identity
	node     Node
}

// New builds the service.
func New(identity Identity, node Node) *Service {
	return &Service{identity: identity, node: node}
}

// GetStatus reads everything anew on each call.
func (s *Service) GetStatus(context.Context, *statusv1.GetStatusRequest) (*statusv1.GetStatusResponse, error) {
	nodes, err := s.node.Machine.NumaNodes()
	if err != nil {
		return nil, failed("NUMA nodes", err)
	}
	pools, err := s.node.Machine.HugepagePools()
	if err != nil {
		return nil, failed("hugepages", err)
	}
	counters, err := s.node.Fastpath.Counters()
	if err != nil {
		return nil, failed("counters", err)
	}
	return &statusv1.GetStatusResponse{
		Version:       s.identity.Version,
		NodeName:      s.identity.NodeName,
		KernelRelease: s.identity.KernelRelease,
		StartedAt:     timestamppb.New(s.identity.StartedAt),
		Xdp:           xdpMessage(s.node.Fastpath.State()),
		NumaNodes:     convert(nodes, numaMessage),
		HugepagePools: convert(pools, hugepageMessage),
		Counters:      convert(counters, counterMessage),
		Guard:         s.node.Guard.Status(),
		Ingest:        s.node.Ingest.Status(),
	}, nil
}

func failed(what string, err error) error {
	slog.Error("status is incomplete", "part", what, "error", err)
	return grpcstatus.Errorf(codes.Internal, "cannot read %s: %v", what, err)
}

var modes = map[xdp.Mode]statusv1.XdpMode{
	xdp.ModeNative:  statusv1.XdpMode_XDP_MODE_NATIVE,
	xdp.ModeGeneric: statusv1.XdpMode_XDP_MODE_GENERIC,
	xdp.ModeOff:     statusv1.XdpMode_XDP_MODE_OFF,
}

func xdpMessage(state xdp.State) *statusv1.XdpStatus {
	return &statusv1.XdpStatus{
		Mode:           modes[state.Mode],
		Interface:      state.Interface,
		InterfaceIndex: state.InterfaceIndex,
		ProgramId:      state.ProgramID,
		Reason:         state.Reason,
	}
}

func numaMessage(node host.NumaNode) *statusv1.NumaNode {
	return &statusv1.NumaNode{Id: node.ID, Cpus: node.CPUs, MemoryBytes: node.MemoryBytes}
}

func hugepageMessage(pool host.HugepagePool) *statusv1.HugepagePool {
	return &statusv1.HugepagePool{
		PageSizeBytes: pool.PageSizeBytes, TotalPages: pool.TotalPages, FreePages: pool.FreePages,
	}
}

func counterMessage(counter xdp.Counter) *statusv1.ProtocolCounter {
	return &statusv1.ProtocolCounter{Protocol: counter.Protocol, Packets: counter.Packets, Bytes: counter.Bytes}
}

func convert[From, To any](values []From, message func(From) To) []To {
	result := make([]To, len(values))
	for i, value := range values {
		result[i] = message(value)
	}
	return result
}
