package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"triptych.dev/go-backend/internal/xdp"
)

// redirect is what exists while the program redirects datagrams. The queues outlive it: subscriptions may hold slots.
type redirect struct {
	open           bool // written under the ingest's mutex, as queues
	queues         int  // with a socket
	interfaceIndex uint32
	follower       *destinations
	stop           event
	loops          sync.WaitGroup
	// After a failure the next try waits, longer each time, unless the interface is another one.
	refused uint32 // the interface's index
	backoff time.Duration
	retryAt time.Time
}

const longestBackoff = time.Minute

// Watch gives AF_XDP up when its interface goes, and takes it when that returns or appears. Meanwhile sockets receive.
// Ends with the context.
func (i *Ingest) Watch(ctx context.Context, interval time.Duration) {
	if len(i.streams) == 0 || i.options.Mode == ModeSocket || i.source.Again == nil {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			i.follow(interval)
		}
	}
}

// follow makes the ingest fit the program as it is now.
func (i *Ingest) follow(interval time.Duration) {
	from, err := i.source.Again()
	if err != nil {
		from.State.Mode, from.State.Reason = xdp.ModeOff, err.Error()
	}
	reason := from.halted
	gone := from.Maps.Sockets == nil || from.State.InterfaceIndex != i.redirect.interfaceIndex
	if i.redirect.open && gone {
		if err := i.closeAFXDP(); err != nil {
			slog.Error("ingest: AF_XDP sockets of the lost interface", "error", err)
		}
	}
	if !i.redirect.open {
		if !i.redirect.due(from.State.InterfaceIndex) {
			return
		}
		if err := i.openAFXDP(from); err != nil {
			reason = err.Error()
			i.redirect.failed(from, interval)
		}
	}
	i.report(reason)
}

// due tells whether another try makes sense.
func (r *redirect) due(interfaceIndex uint32) bool {
	return interfaceIndex != r.refused || !time.Now().Before(r.retryAt)
}

func (r *redirect) failed(from Source, interval time.Duration) {
	if from.Maps.Sockets == nil { // nothing was tried
		r.refused, r.backoff = 0, 0
		return
	}
	if from.State.InterfaceIndex != r.refused {
		r.backoff = 0
	}
	r.backoff = min(max(interval, 2*r.backoff), longestBackoff)
	r.refused, r.retryAt = from.State.InterfaceIndex, time.Now().Add(r.backoff)
}

// report logs a change.
func (i *Ingest) report(reason string) {
	if i.setReason(reason) {
		i.log()
	}
}

// setReason tells whether it is news.
func (i *Ingest) setReason(reason string) bool {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	changed := reason != i.reason
	i.reason = reason
	return changed
}

// openAFXDP opens a socket for every queue of the interface, all or none, and receives.
func (i *Ingest) openAFXDP(from Source) (err error) {
	switch {
	case i.options.Mode == ModeSocket:
		return errors.New("sockets chosen by configuration")
	case from.Maps.Sockets == nil:
		return fmt.Errorf("no XDP program is attached: %s", from.State.Reason)
	}
	stop, err := newEvent()
	if err != nil {
		return err
	}
	i.mutex.Lock()
	defer i.mutex.Unlock()
	count := min(from.Queues, i.options.Queues, xdp.IngestQueues)
	i.redirect.stop = stop
	if err := i.openQueues(from, count); err != nil {
		return errors.Join(err, i.release())
	}
	i.redirect.open, i.redirect.queues, i.redirect.interfaceIndex = true, count, from.State.InterfaceIndex
	for _, queue := range i.queues[:count] {
		queue.start(&i.redirect.loops, func() { queue.run(stop) })
	}
	return nil
}

func (i *Ingest) openQueues(from Source, count int) (err error) {
	for len(i.queues) < count {
		queue, err := newAFXDP(len(i.queues), i.streams, from, i.options, i.place(from))
		if err != nil {
			return err
		}
		i.queues = append(i.queues, queue)
	}
	for _, queue := range i.queues[:count] {
		if err := queue.open(from); err != nil {
			return err
		}
	}
	// Last, because from here on the program redirects.
	i.redirect.follower, err = followAddresses(i.streams, from.Maps)
	return err
}

// closeAFXDP ends the redirection, if there is one. What was not taken counts as lost.
func (i *Ingest) closeAFXDP() error {
	if !i.redirect.open {
		return nil
	}
	err := i.redirect.stop.set()
	i.redirect.loops.Wait()
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return errors.Join(err, i.release())
}

// release gives up all that was opened. The caller holds the mutex; the loops have ended.
func (i *Ingest) release() error {
	var err error
	if i.redirect.follower != nil {
		err = i.redirect.follower.close()
	}
	for _, queue := range i.queues {
		err = errors.Join(err, queue.close())
	}
	i.reclaim()
	for last := len(i.queues) - 1; last >= 0 && !i.queues[last].used; last-- {
		err = errors.Join(err, i.queues[last].pool.Close())
		i.queues = i.queues[:last]
	}
	i.redirect.open, i.redirect.queues, i.redirect.follower = false, 0, nil
	return errors.Join(err, i.redirect.stop.close())
}

// reclaim gets the slots back that the kernel had, while no subscription can settle.
func (i *Ingest) reclaim() {
	for _, stream := range i.streams {
		stream.mutex.Lock()
		defer stream.mutex.Unlock()
	}
	for _, queue := range i.queues {
		queue.pool.Reclaim(queue.held)
	}
}
