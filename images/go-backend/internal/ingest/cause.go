package ingest

import ingestv1 "triptych.dev/go-backend/gen/ingest/v1"

// cause is why a datagram was dropped; noCause for one that was not. The numbers are those of ingest.v1.
type cause uint8

const (
	noCause          = cause(ingestv1.DropCause_DROP_CAUSE_UNSPECIFIED)
	receiveQueueFull = cause(ingestv1.DropCause_DROP_CAUSE_RECEIVE_QUEUE_FULL)
	malformed        = cause(ingestv1.DropCause_DROP_CAUSE_MALFORMED)
	badChecksum      = cause(ingestv1.DropCause_DROP_CAUSE_BAD_CHECKSUM)
	oversized        = cause(ingestv1.DropCause_DROP_CAUSE_OVERSIZED)
	noSubscriber     = cause(ingestv1.DropCause_DROP_CAUSE_NO_SUBSCRIBER)
	slowClient       = cause(ingestv1.DropCause_DROP_CAUSE_SLOW_CLIENT)
	clientGone       = cause(ingestv1.DropCause_DROP_CAUSE_CLIENT_GONE)
	causes           = clientGone + 1
)

// causeNames are the values of the metrics' label.
var causeNames = [causes]string{
	receiveQueueFull: "receive_queue_full", malformed: "malformed", badChecksum: "bad_checksum", oversized: "oversized",
	noSubscriber: "no_subscriber", slowClient: "slow_client", clientGone: "client_gone",
}

// losses counts datagrams by cause.
type losses [causes]uint64

func (l *losses) sum() uint64 {
	var sum uint64
	for _, count := range l {
		sum += count
	}
	return sum
}

// message lists the causes that occurred.
func (l *losses) message() []*ingestv1.Loss {
	var list []*ingestv1.Loss
	for cause, count := range l {
		if count > 0 {
			list = append(list, &ingestv1.Loss{Cause: ingestv1.DropCause(cause), Datagrams: count})
		}
	}
	return list
}

// counters obey received = delivered + dropped + pending whenever their owner's mutex is free.
type counters struct {
	received, delivered, pending uint64
	dropped                      losses
}

func (c *counters) message() *ingestv1.Counters {
	return &ingestv1.Counters{
		Received: c.received, Delivered: c.delivered, Pending: c.pending, Dropped: c.dropped.message(),
	}
}
