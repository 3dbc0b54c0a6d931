package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
)

// sendMany sends frames at once and returns how many left; the rest, or all of them, found a full queue here.
func (w *wire) sendMany(frames [][]byte) (int, error) {
	messages, vectors := make([]message, len(frames)), make([]unix.Iovec, len(frames))
	for i, frame := range frames {
		vectors[i].Base = &frame[0]
		vectors[i].SetLen(len(frame))
		messages[i].header.Iov = &vectors[i]
		messages[i].header.SetIovlen(1)
	}
	count, err := sendMessages(w.fd, messages)
	if errors.Is(err, unix.ENOBUFS) {
		return 0, nil
	}
	return count, err
}

// flood sends numbered datagrams to ports until the deadline and returns how many to each.
func flood(t testing.TB, w *wire, ports []uint16, until time.Time) map[uint16]uint64 {
	t.Helper()
	connectWire(t, w)
	sent, sequence := map[uint16]uint64{}, uint64(0)
	payload := make([]byte, 64)
	target := hardware(t)
	for time.Now().Before(until) {
		frames := make([][]byte, 64)
		for i := range frames {
			sequence++
			binary.BigEndian.PutUint64(payload, sequence)
			shape := to4(ports[i%len(ports)])
			shape.mac = target
			frames[i] = shape.frame(payload)
		}
		count, err := w.sendMany(frames)
		must(t, err)
		for i := range count {
			sent[ports[i%len(ports)]]++
		}
	}
	return sent
}

// TestOverload floods beyond what the clients take: every single datagram has a fate.
func TestOverload(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) { overload(t, mode, 700*time.Millisecond) })
	}
}

// TestSoak does so for SOAK (default: 2 s), and memory must not grow.
func TestSoak(t *testing.T) {
	duration := 2 * time.Second
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK: %v", err)
		}
	}
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) { overload(t, mode, duration/time.Duration(len(allModes))) })
	}
}

// overload has a fast client, one that stops reading at once, and one that comes and goes.
func overload(t *testing.T, mode Mode, duration time.Duration) {
	ports := []uint16{514, 2055}
	node := startNode(t, mode, Options{Ports: ports})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fast := node.subscribe(t, ctx, &ingestv1.SubscribeRequest{MaxBatch: 256})
	node.subscribe(t, ctx, &ingestv1.SubscribeRequest{}) // never read
	var group sync.WaitGroup
	delivered := map[uint32]uint64{}
	group.Go(func() { countDatagrams(fast, delivered) })
	var visits atomic.Int64
	group.Go(func() { visit(ctx, node.client, &visits) })
	before := heap()
	var sent map[uint16]uint64
	wire := newWire(t)
	end := time.Now().Add(duration)
	// A busy machine takes long to send more than a client's window.
	for time.Now().Before(end) || !hasStalled(node) && time.Now().Before(end.Add(patience)) {
		sent = merge(sent, flood(t, wire, ports, earlier(time.Now().Add(time.Second), time.Now().Add(duration))))
		for _, port := range ports {
			node.account(t, port)
		}
	}
	grown := heap() - before
	for _, port := range ports {
		eventually(t, fmt.Sprintf("all %d datagrams to port %d are known", sent[port], port), func() bool {
			return node.account(t, port).received == sent[port]
		})
	}
	checkSubscriptions(t, node, sent[514]+sent[2055])
	cancel()
	group.Wait()
	for _, port := range ports {
		now := node.settled(t, port, sent[port])
		if now.delivered < delivered[uint32(port)] {
			t.Errorf("port %d: clients have %d, the server delivered %d", port, delivered[uint32(port)], now.delivered)
		}
		t.Logf("port %d: %+v, %d reached the fast client; %d visits", port, *now, delivered[uint32(port)], visits.Load())
	}
	node.slotsAtRest(t)
	t.Logf("the heap grew by %d KiB", grown>>10)
	if grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

// hasStalled tells whether a subscription lost more than it got.
func hasStalled(node *node) bool {
	return slices.ContainsFunc(node.Snapshot().Subscriptions, func(subscription *ingestv1.Subscription) bool {
		return lostBy(subscription) > subscription.Counters.Received/2
	})
}

func lostBy(subscription *ingestv1.Subscription) uint64 {
	var lost uint64
	for _, loss := range subscription.Counters.Dropped {
		lost += loss.Datagrams
	}
	return lost
}

// checkSubscriptions: each account adds up, and the client that does not read has a bounded number of datagrams.
func checkSubscriptions(t *testing.T, node *node, sent uint64) {
	t.Helper()
	for _, subscription := range node.Snapshot().Subscriptions {
		now, dropped := subscription.Counters, lostBy(subscription)
		if now.Received != now.Delivered+now.Pending+dropped || now.Received > sent || now.Pending > DefaultSubscriptionDatagrams {
			t.Errorf("subscription %d of %d datagrams does not add up: %v", subscription.Id, sent, now)
		}
	}
	if !hasStalled(node) {
		t.Errorf("no subscription is stalled: %v", node.Snapshot().Subscriptions)
	}
}

func countDatagrams(stream responses, counts map[uint32]uint64) {
	for {
		response, err := stream.Recv()
		if err != nil {
			return
		}
		for _, datagram := range response.Datagrams {
			counts[datagram.Port]++
		}
	}
}

// visit subscribes, reads a little and leaves, again and again.
func visit(ctx context.Context, client ingestv1.IngestServiceClient, visits *atomic.Int64) {
	for ctx.Err() == nil {
		visiting, leave := context.WithTimeout(ctx, 50*time.Millisecond)
		if stream, err := client.Subscribe(visiting, &ingestv1.SubscribeRequest{Ports: []uint32{514}}); err == nil {
			countDatagrams(stream, map[uint32]uint64{})
			visits.Add(1)
		}
		leave()
	}
}

// heap is what lives on the heap.
func heap() int64 {
	runtime.GC()
	var statistics runtime.MemStats
	runtime.ReadMemStats(&statistics)
	return int64(statistics.HeapAlloc)
}

func merge(all, more map[uint16]uint64) map[uint16]uint64 {
	if all == nil {
		return more
	}
	for port, count := range more {
		all[port] += count
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// TestStalledClientHarmsNobody: beside a client that stops reading, another gets everything.
func TestStalledClientHarmsNobody(t *testing.T) {
	const count, round = 20_000, 100
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			node := startNode(t, mode, Options{Ports: []uint16{514}})
			node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{}) // never read
			stream := node.subscribe(t, bounded(t), &ingestv1.SubscribeRequest{MaxBatch: 1024})
			shape := to4(514)
			shape.mac = hardware(t)
			frame := shape.frame(make([]byte, 1000))
			wire := newWire(t)
			for range count / round {
				for range round {
					wire.send(t, frame)
				}
				receive(t, stream, round)
			}
			if now := node.account(t, 514); now.received != count || now.delivered != count {
				t.Errorf("account %+v", now)
			}
			slow := node.Snapshot().Subscriptions[0].Counters
			if len(slow.Dropped) != 1 || slow.Dropped[0].Cause != ingestv1.DropCause_DROP_CAUSE_SLOW_CLIENT ||
				slow.Dropped[0].Datagrams+slow.Pending+slow.Delivered != count {
				t.Errorf("account of the stalled client %v", slow)
			}
		})
	}
}

// TestKernelLossesAreExact stops the receiver while datagrams come: what found no room in the kernel is known, port by
// port, although nothing arrives after it.
func TestKernelLossesAreExact(t *testing.T) {
	const count = 30_000 // more than a ring or two socket buffers hold
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			ports := []uint16{514, 2055}
			node := startNode(t, mode, Options{Ports: ports, Queues: 1})
			shapes := []builder{to4(514), to4(2055)}
			wire := newWire(t)
			node.streams[0].mutex.Lock()
			for i := range count {
				shape := shapes[i%len(shapes)]
				shape.mac = hardware(t)
				wire.send(t, shape.frame([]byte("hello")))
			}
			node.streams[0].mutex.Unlock()
			for _, port := range ports {
				now := node.settled(t, port, count/2)
				if now.dropped[receiveQueueFull] == 0 || now.dropped[receiveQueueFull]+now.dropped[noSubscriber] != count/2 {
					t.Errorf("port %d: %+v", port, now)
				}
			}
			queue := node.Snapshot().Queues[0]
			if full := queue.RxRingFull + queue.FillRingEmpty; (full > 0) != (mode != ModeSocket) {
				t.Errorf("queue %v", queue)
			}
		})
	}
}

// TestCloseUnderAFlood: the account ends exact although datagrams go on coming; the rest belongs to the network stack.
func TestCloseUnderAFlood(t *testing.T) {
	for _, mode := range allModes {
		t.Run(string(mode), func(t *testing.T) {
			node := startNode(t, mode, Options{Ports: []uint16{514}})
			node.closed = true
			wire := newWire(t)
			closed := make(chan error, 1)
			go func() {
				time.Sleep(50 * time.Millisecond)
				closed <- node.Close()
			}()
			sent := uint64(0)
			for deadline := time.Now().Add(patience); ; {
				sent += flood(t, wire, []uint16{514}, time.Now().Add(20*time.Millisecond))[514]
				select {
				case err := <-closed:
					must(t, err)
					if now := node.account(t, 514); now.received == 0 || now.received > sent || now.pending != 0 {
						t.Errorf("%d sent, account %+v", sent, now)
					}
					return
				default:
				}
				if time.Now().After(deadline) {
					t.Fatal("the ingest does not close")
				}
			}
		})
	}
}
