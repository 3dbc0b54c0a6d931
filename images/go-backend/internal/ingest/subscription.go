package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"triptych.dev/go-backend/internal/slotpool"
)

const (
	// maxPayload bounds a message: gRPC clients refuse more than 4 MiB by default.
	maxPayload = 1 << 20
	// lossReport is how soon a client that gets no datagrams learns of losses.
	lossReport = time.Second
)

// errStopping ends subscriptions when the ingest closes.
var errStopping = errors.New("the ingest is stopping")

// Subscription is one client's bounded queue. It refers to slots and copies nothing.
type Subscription struct {
	id       uint64
	number   int // below Options.Subscriptions, free again afterwards
	peer     string
	streams  []*stream
	baseline []losses // of each stream, when the subscription began
	ingest   *Ingest
	wake     chan struct{}
	timer    *time.Timer
	reported uint64 // losses that the client was told

	mutex    sync.Mutex
	queue    []reference // a circle: length entries from head
	head     int
	length   int
	wanted   int // wake at this length
	counters counters
	slow     []uint64 // datagrams refused, by stream
}

func newSubscription(ingest *Ingest, peer string, streams []*stream) *Subscription {
	timer := time.NewTimer(lossReport)
	timer.Stop()
	return &Subscription{
		peer: peer, streams: streams, baseline: make([]losses, len(streams)), ingest: ingest, timer: timer,
		wake: make(chan struct{}, 1), wanted: 1,
		queue: make([]reference, ingest.options.SubscriptionDatagrams), slow: make([]uint64, len(streams)),
	}
}

// push takes as many datagrams as there is room for. What was popped and is not settled yet occupies room, too: so a
// client that stops reading holds a bounded number of slots.
func (s *Subscription) push(queue *queue, slots []slotpool.Slot, position int) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	taken := min(len(slots), len(s.queue)-int(s.counters.pending))
	for _, slot := range slots[:taken] {
		s.queue[s.wrap(s.head+s.length)] = reference{queue: queue, slot: slot}
		s.length++
	}
	refused := uint64(len(slots) - taken)
	s.counters.received += uint64(len(slots))
	s.counters.pending += uint64(taken)
	s.counters.dropped[slowClient] += refused
	s.slow[position] += refused
	if taken > 0 && s.length >= s.wanted {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return taken
}

// wrap is an index below twice the length, without a division.
func (s *Subscription) wrap(index int) int {
	if index >= len(s.queue) {
		return index - len(s.queue)
	}
	return index
}

// limits of a batch.
type limits struct {
	datagrams int
	latency   time.Duration
}

// next waits for a batch that is full or whose first datagram has waited long enough. An empty batch means that
// there are losses to report.
func (s *Subscription) next(ctx context.Context, limit limits, batch []reference) ([]reference, error) {
	for {
		oldest, length := s.look(1)
		if length > 0 {
			return s.fill(ctx, limit, batch, time.Unix(0, oldest))
		}
		woken, err := s.wait(ctx, lossReport)
		if err != nil {
			return nil, err
		}
		if !woken && s.lost() != s.reported {
			return batch[:0], nil
		}
	}
}

// fill waits until the batch is full or late, and takes it.
func (s *Subscription) fill(ctx context.Context, limit limits, batch []reference, oldest time.Time) ([]reference, error) {
	for {
		_, length := s.look(limit.datagrams)
		left := limit.latency - time.Since(oldest)
		if length >= limit.datagrams || left <= 0 {
			return s.pop(batch[:0], limit.datagrams), nil
		}
		if _, err := s.wait(ctx, left); err != nil {
			return nil, err
		}
	}
}

// look returns when the oldest datagram came and how many there are, and asks to be woken at a length.
func (s *Subscription) look(wanted int) (oldest int64, length int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.wanted = min(wanted, len(s.queue))
	if s.length == 0 {
		return 0, 0
	}
	return s.queue[s.head].record().received, s.length
}

// wait returns true when woken, false after a time.
func (s *Subscription) wait(ctx context.Context, atMost time.Duration) (bool, error) {
	s.timer.Reset(atMost)
	defer s.timer.Stop()
	select {
	case <-s.wake:
		return true, nil
	case <-s.timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.ingest.stopping:
		return false, errStopping
	}
}

// pop takes up to a number of datagrams and about maxPayload bytes. They stay pending until they are settled.
func (s *Subscription) pop(batch []reference, most int) []reference {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for bytes := 0; s.length > 0 && len(batch) < most && bytes < maxPayload; s.length-- {
		taken := s.queue[s.head]
		bytes += int(taken.record().length)
		batch = append(batch, taken)
		s.head = s.wrap(s.head + 1)
	}
	return batch
}

// settle ends the hold on a batch: it was sent or it is given up.
func (s *Subscription) settle(batch []reference, sent bool) {
	for start := 0; start < len(batch); {
		stream, end := batch[start].stream(), start+1
		for end < len(batch) && batch[end].stream() == stream {
			end++
		}
		stream.settle(batch[start:end], sent, s.number)
		start = end
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counters.pending -= uint64(len(batch))
	if sent {
		s.counters.delivered += uint64(len(batch))
		return
	}
	s.counters.dropped[clientGone] += uint64(len(batch))
}

// lossesOf are the losses of one of its streams since the subscription began.
func (s *Subscription) lossesOf(position int) losses {
	now, _ := s.streams[position].snapshot()
	var lost losses
	for _, cause := range []cause{receiveQueueFull, malformed, badChecksum, oversized} {
		// A datagram that was overtaken can take a loss back.
		lost[cause] = now.dropped[cause] - min(now.dropped[cause], s.baseline[position][cause])
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	lost[slowClient] = s.slow[position]
	return lost
}

func (s *Subscription) lost() uint64 {
	var lost uint64
	for position := range s.streams {
		of := s.lossesOf(position)
		lost += of.sum()
	}
	return lost
}

func (s *Subscription) snapshot() counters {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.counters
}

// close leaves the streams and gives all slots back.
func (s *Subscription) close() {
	for _, stream := range s.streams {
		stream.leave(s)
	}
	for batch := s.pop(nil, len(s.queue)); len(batch) > 0; batch = s.pop(batch[:0], len(s.queue)) {
		s.settle(batch, false)
	}
	s.ingest.forget(s)
}
