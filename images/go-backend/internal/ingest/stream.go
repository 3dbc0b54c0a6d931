package ingest

import (
	"slices"
	"sync"

	"triptych.dev/go-backend/internal/slotpool"
)

// stream is one ingest port. Its mutex is taken once per batch, so that its counters agree at every moment.
type stream struct {
	port   uint16
	number uint32 // in the program's map

	mutex    sync.Mutex
	counters counters
	sequence uint64
	members  []member
	// highest is, for each AF_XDP queue, the highest number that the program gave to a datagram of this stream.
	highest []uint64
}

// member is a subscription's part in a stream: position is the stream's index in the subscription.
type member struct {
	subscription *Subscription
	position     int
}

// arrival is a datagram in a slot, or only the knowledge that one arrived.
type arrival struct {
	stream *stream
	slot   slotpool.Slot
	number uint64 // given by the XDP program; 0 from a socket
	cause  cause
}

// arrive takes a run of datagrams of this stream from a queue's own goroutine.
func (s *stream) arrive(queue *queue, run []arrival) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	accepted := queue.accepted[:0]
	for _, arrived := range run {
		s.count(queue, arrived.number)
		if arrived.cause != noCause {
			s.counters.dropped[arrived.cause]++
			queue.list.Put(arrived.slot)
			continue
		}
		s.sequence++
		record := &queue.records[arrived.slot]
		record.sequence, record.references, record.delivered = s.sequence, 0, false
		accepted = append(accepted, arrived.slot)
	}
	s.fanOut(queue, accepted)
}

// count adds a datagram, and those that the kernel dropped since the last one: their numbers are missing.
func (s *stream) count(queue *queue, number uint64) {
	if number == 0 {
		s.counters.received++
		return
	}
	highest := &s.highest[queue.number]
	if number <= *highest { // it was overtaken and taken for lost
		s.counters.dropped[receiveQueueFull]--
		return
	}
	s.counters.received += number - *highest
	s.counters.dropped[receiveQueueFull] += number - *highest - 1
	*highest = number
}

// missed takes all numbers up to one as given: what did not arrive is lost.
func (s *stream) missed(queue *queue, number uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	highest := &s.highest[queue.number]
	if number > *highest {
		s.counters.received += number - *highest
		s.counters.dropped[receiveQueueFull] += number - *highest
		*highest = number
	}
}

// lost counts datagrams that the kernel dropped before a socket.
func (s *stream) lost(count uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.counters.received += count
	s.counters.dropped[receiveQueueFull] += count
}

// fanOut gives every subscription as many as it has room for, in order.
func (s *stream) fanOut(queue *queue, slots []slotpool.Slot) {
	for _, member := range s.members {
		taken := member.subscription.push(queue, slots, member.position)
		for _, slot := range slots[:taken] {
			queue.records[slot].references++
		}
	}
	refused := slowClient
	if len(s.members) == 0 {
		refused = noSubscriber
	}
	held := 0
	for _, slot := range slots {
		if queue.records[slot].references > 0 {
			held++
			continue
		}
		s.counters.dropped[refused]++
		queue.list.Put(slot)
	}
	s.counters.pending += uint64(held)
	queue.inUse.Add(int64(held))
}

// settle ends a subscription's hold on a run of datagrams of this stream. A datagram counts as delivered once the
// first subscription sent it, as dropped when the last one went away without.
func (s *stream) settle(run []reference, sent bool, number int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, held := range run {
		record := &held.queue.records[held.slot]
		if sent && !record.delivered {
			record.delivered = true
			s.counters.delivered++
			s.counters.pending--
		}
		record.references--
		if record.references > 0 {
			continue
		}
		if !record.delivered {
			s.counters.dropped[clientGone]++
			s.counters.pending--
		}
		held.queue.inUse.Add(-1)
		held.queue.pool.List(listOf(number)).Put(held.slot)
	}
}

// snapshot is a copy of the counters, and how many subscriptions there are.
func (s *stream) snapshot() (counters, int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.counters, len(s.members)
}

// join adds a subscription, which gets what arrives from now on, and returns the losses so far.
func (s *stream) join(subscription *Subscription, position int) losses {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.members = append(s.members, member{subscription: subscription, position: position})
	return s.counters.dropped
}

func (s *stream) leave(subscription *Subscription) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.members = slices.DeleteFunc(s.members, func(member member) bool { return member.subscription == subscription })
}
