package guard

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/timestamppb"

	guardv1 "triptych.dev/go-backend/gen/guard/v1"
	"triptych.dev/go-backend/internal/xdp"
)

// eventBuffer is how many events a slow reader may be behind before it loses some.
const eventBuffer = 256

// Sampler is where samples come from; xdp.SampleReader.
type Sampler interface {
	Read() (xdp.Sample, error)
	Close() error
}

// Telemetry turns samples into events for watchers and into an estimate of the top sources. Safe for concurrent use.
type Telemetry struct {
	ruleID  func(counter uint32) string
	started time.Time
	Samples atomic.Uint64 // read from the kernel
	Lost    atomic.Uint64 // events lost by slow watchers

	mutex    sync.Mutex
	sources  *topSources
	watchers map[*watcher]struct{}
}

// watcher is one reader of events.
type watcher struct {
	events chan *guardv1.DropEvent
	ruleID string
	lost   atomic.Uint64
}

// NewTelemetry names rules by a function.
func NewTelemetry(ruleID func(counter uint32) string) *Telemetry {
	return &Telemetry{
		ruleID: ruleID, started: time.Now(), sources: newTopSources(trackedSources), watchers: map[*watcher]struct{}{},
	}
}

// Run reads samples until the context ends.
func (t *Telemetry) Run(ctx context.Context, sampler Sampler) error {
	stop := context.AfterFunc(ctx, func() { sampler.Close() })
	defer stop()
	for {
		sample, err := sampler.Read()
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			slog.Warn("a sample is lost", "error", err)
			continue
		}
		t.take(sample)
	}
}

func (t *Telemetry) take(sample xdp.Sample) {
	t.Samples.Add(1)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if sample.Source.IsValid() {
		t.sources.add(sourceKey(sample.Source), uint64(sample.Weight), sample.Verdict.Drops())
	}
	if !sample.Verdict.Drops() || len(t.watchers) == 0 {
		return
	}
	event := t.event(sample)
	for watcher := range t.watchers {
		if watcher.ruleID != "" && watcher.ruleID != event.RuleId {
			continue
		}
		select {
		case watcher.events <- event:
		default:
			watcher.lost.Add(1)
			t.Lost.Add(1)
		}
	}
}

// sourceKey is what the guard counts as one source.
func sourceKey(source netip.Addr) netip.Prefix {
	bits := 32
	if source.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(source, bits).Masked()
}

func (t *Telemetry) event(sample xdp.Sample) *guardv1.DropEvent {
	event := &guardv1.DropEvent{
		Time: timestamppb.New(time.Now().Add(sample.SinceBoot - sinceBoot())), Verdict: verdictMessage(sample.Verdict),
		Protocol: uint32(sample.Protocol), SourcePort: uint32(sample.SourcePort),
		DestinationPort: uint32(sample.DestinationPort), Length: sample.Length, Weight: uint64(sample.Weight),
	}
	if sample.Rule != xdp.NoRule {
		event.RuleId = t.ruleID(sample.Rule)
	}
	if sample.Source.IsValid() {
		event.Source, event.Destination = sample.Source.String(), sample.Destination.String()
	}
	return event
}

func sinceBoot() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0 // cannot fail with this clock
	}
	return time.Duration(now.Nano())
}

func verdictMessage(verdict xdp.Verdict) guardv1.Verdict {
	return guardv1.Verdict(verdict + 1)
}

func (t *Telemetry) watch(ruleID string) *watcher {
	added := &watcher{events: make(chan *guardv1.DropEvent, eventBuffer), ruleID: ruleID}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.watchers[added] = struct{}{}
	return added
}

func (t *Telemetry) unwatch(gone *watcher) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	delete(t.watchers, gone)
}

// Watchers counts the present readers of events.
func (t *Telemetry) Watchers() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.watchers)
}

// top lists the sources with most packets, and since when they are counted.
func (t *Telemetry) top(limit int) ([]*source, time.Duration) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.sources.top(limit), time.Since(t.started)
}
