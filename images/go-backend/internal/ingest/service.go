package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	grpcstatus "google.golang.org/grpc/status"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
)

const (
	defaultBatch   = 64
	maxBatch       = 1024
	defaultLatency = 5 * time.Millisecond
	maxLatency     = 10 * time.Second
)

// Service implements ingest.v1.IngestService.
type Service struct {
	ingestv1.UnimplementedIngestServiceServer
	ingest *Ingest
}

// NewService builds the service.
func NewService(ingest *Ingest) *Service {
	return &Service{ingest: ingest}
}

// Subscribe streams batches until the client leaves or the ingest stops.
func (s *Service) Subscribe(request *ingestv1.SubscribeRequest, stream grpc.ServerStreamingServer[ingestv1.SubscribeResponse]) error {
	limit, err := limitsOf(request)
	if err != nil {
		return grpcstatus.Error(codes.InvalidArgument, err.Error())
	}
	ports, err := portsOf(request)
	if err != nil {
		return grpcstatus.Error(codes.InvalidArgument, err.Error())
	}
	subscription, err := s.ingest.Subscribe(ports, peerOf(stream.Context()))
	if err != nil {
		return statusOf(err)
	}
	defer subscription.close()
	return statusOf(subscription.run(stream.Context(), limit, stream.Send))
}

func limitsOf(request *ingestv1.SubscribeRequest) (limits, error) {
	limit := limits{datagrams: int(request.MaxBatch), latency: defaultLatency}
	if limit.datagrams == 0 {
		limit.datagrams = defaultBatch
	}
	if limit.datagrams > maxBatch {
		return limit, fmt.Errorf("max_batch %d: choose at most %d", limit.datagrams, maxBatch)
	}
	if request.MaxLatency != nil {
		limit.latency = request.MaxLatency.AsDuration()
	}
	if limit.latency < 0 || limit.latency > maxLatency {
		return limit, fmt.Errorf("max_latency %s: choose 0 to %s", limit.latency, maxLatency)
	}
	return limit, nil
}

func portsOf(request *ingestv1.SubscribeRequest) ([]uint16, error) {
	ports := make([]uint16, len(request.Ports))
	for i, port := range request.Ports {
		if port == 0 || port > 1<<16-1 {
			return nil, fmt.Errorf("port %d: choose 1 to 65535", port)
		}
		ports[i] = uint16(port)
	}
	return ports, nil
}

func peerOf(ctx context.Context) string {
	if client, ok := peer.FromContext(ctx); ok {
		return client.Addr.String()
	}
	return ""
}

func statusOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoPort):
		return grpcstatus.Error(codes.NotFound, err.Error())
	case errors.Is(err, ErrFull):
		return grpcstatus.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, errStopping):
		return grpcstatus.Error(codes.Unavailable, err.Error())
	}
	return grpcstatus.FromContextError(err).Err()
}

// run sends batches. The message refers to the slots: gRPC has encoded it when send returns.
func (s *Subscription) run(ctx context.Context, limit limits, send func(*ingestv1.SubscribeResponse) error) error {
	limit.datagrams = min(limit.datagrams, len(s.queue)) // more never wait
	batch := make([]reference, 0, limit.datagrams)
	for {
		taken, err := s.next(ctx, limit, batch)
		if err != nil {
			return err
		}
		err = send(s.message(taken))
		s.settle(taken, err == nil)
		if err != nil {
			return err
		}
	}
}

func (s *Subscription) message(batch []reference) *ingestv1.SubscribeResponse {
	datagrams, list := make([]ingestv1.Datagram, len(batch)), make([]*ingestv1.Datagram, len(batch))
	for i, held := range batch {
		record, datagram := held.record(), &datagrams[i]
		datagram.Port, datagram.Sequence = uint32(held.stream().port), record.sequence
		datagram.SourceAddress, datagram.SourcePort = record.source.bytes(), uint32(record.source.port)
		datagram.ReceiveTimeUnixNano, datagram.Payload = uint64(record.received), held.payload()
		list[i] = datagram
	}
	return &ingestv1.SubscribeResponse{Datagrams: list, Losses: s.portLosses()}
}

func (s *Subscription) portLosses() []*ingestv1.PortLoss {
	var list []*ingestv1.PortLoss
	s.reported = 0
	for position, stream := range s.streams {
		lost := s.lossesOf(position)
		if sum := lost.sum(); sum > 0 {
			s.reported += sum
			list = append(list, &ingestv1.PortLoss{Port: uint32(stream.port), Losses: lost.message()})
		}
	}
	return list
}
