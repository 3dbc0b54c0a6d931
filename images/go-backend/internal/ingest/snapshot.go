package ingest

import (
	"context"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	statusv1 "triptych.dev/go-backend/gen/status/v1"
	"triptych.dev/go-backend/internal/slotpool"
)

var modeMessages = map[Mode]ingestv1.IngestMode{
	ModeNative:  ingestv1.IngestMode_INGEST_MODE_AF_XDP_NATIVE,
	ModeGeneric: ingestv1.IngestMode_INGEST_MODE_AF_XDP_GENERIC,
	ModeSocket:  ingestv1.IngestMode_INGEST_MODE_SOCKET,
}

// ListStreams reads everything anew on each call.
func (s *Service) ListStreams(context.Context, *ingestv1.ListStreamsRequest) (*ingestv1.ListStreamsResponse, error) {
	return s.ingest.Snapshot(), nil
}

// Snapshot is the state at this moment.
func (i *Ingest) Snapshot() *ingestv1.ListStreamsResponse {
	mode, reason := i.Mode()
	answer := &ingestv1.ListStreamsResponse{}
	for _, stream := range i.streams {
		now, subscribers := stream.snapshot()
		answer.Streams = append(answer.Streams, &ingestv1.Stream{
			Port: uint32(stream.port), Mode: modeMessages[mode], Reason: reason, Counters: now.message(), Subscribers: uint32(subscribers),
		})
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	for _, queue := range i.queues {
		queue.readStatistics()
	}
	for _, queue := range i.receiveQueues() {
		answer.Queues = append(answer.Queues, queue.message())
	}
	for _, subscription := range i.subscriptions {
		if subscription != nil {
			answer.Subscriptions = append(answer.Subscriptions, subscription.snapshotMessage())
		}
	}
	return answer
}

// Status is the short form of Snapshot for status.v1.
func (i *Ingest) Status() *statusv1.IngestStatus {
	answer := &statusv1.IngestStatus{}
	if len(i.streams) == 0 {
		answer.Reason = "no ingest ports: set --ingest-ports"
		return answer
	}
	now := i.Snapshot()
	answer.Mode, answer.Reason = now.Streams[0].Mode, now.Streams[0].Reason
	answer.Queues, answer.Subscriptions = now.Queues, uint32(len(now.Subscriptions))
	for _, stream := range now.Streams {
		answer.Ports = append(answer.Ports, stream.Port)
	}
	return answer
}

func (q *queue) message() *ingestv1.Queue {
	size, reason := q.pool.PageBytes()
	made := &ingestv1.Queue{
		Name: q.name, PageKind: ingestv1.PageKind_PAGE_KIND_ORDINARY, Reason: reason,
		Slots: uint32(q.pool.Slots()), SlotBytes: uint32(q.pool.SlotBytes()), SlotsInUse: uint32(q.inUse.Load()),
		RxRingFull: q.kernel.ringFull.Load(), FillRingEmpty: q.kernel.fillEmpty.Load(),
	}
	if size == slotpool.HugepageBytes {
		made.PageKind = ingestv1.PageKind_PAGE_KIND_HUGE
	}
	if node := q.pool.Node(); node != slotpool.AnyNode {
		id := uint32(node)
		made.NumaNode = &id
	}
	return made
}

func (s *Subscription) snapshotMessage() *ingestv1.Subscription {
	now := s.snapshot()
	made := &ingestv1.Subscription{Id: s.id, Peer: s.peer, Counters: now.message()}
	for _, stream := range s.streams {
		made.Ports = append(made.Ports, uint32(stream.port))
	}
	return made
}
