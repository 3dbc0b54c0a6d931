// Package ingest receives UDP datagrams on chosen ports and streams them to subscribers: from AF_XDP sockets where the
// XDP program is attached, from UDP sockets everywhere else. Datagrams stay in the slot they arrived in until every
// subscription has sent them.
package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"

	"triptych.dev/go-backend/internal/host"
	"triptych.dev/go-backend/internal/slotpool"
	"triptych.dev/go-backend/internal/xdp"
)

// ErrNoPort is what Subscribe returns for a port that is not ingested, ErrFull when all subscriptions are taken.
var (
	ErrNoPort = errors.New("not an ingest port")
	ErrFull   = errors.New("all subscriptions are taken: end one or raise --ingest-subscriptions")
)

// Source is the attached XDP program. Its zero value stands for none, then sockets receive.
type Source struct {
	State  xdp.State
	Maps   xdp.IngestMaps
	MTU    int
	Queues int // of the interface
	// Now is the state at this moment: an interface can vanish.
	Now func() xdp.State
	// Again describes the program anew, for an interface that returned; nil: there never will be another one.
	Again func() (Source, error)
	// halted tells why nothing comes in although the program is attached; empty while the interface works.
	halted string
}

// Ingest receives on all ports until it is closed.
type Ingest struct {
	options  Options
	source   Source
	machine  *host.Host
	streams  []*stream // by port
	groups   []*sockets
	redirect redirect
	stop     event
	stopping chan struct{}
	loops    sync.WaitGroup

	mutex         sync.Mutex
	queues        []*afxdp // of AF_XDP, with and without a socket
	reason        string   // why AF_XDP is not used, or not any more
	nextID        uint64
	subscriptions []*Subscription // by number, nil where free
	active        sync.WaitGroup
}

// Start opens all ports. AF_XDP that cannot be had is no error: sockets receive, and the reason is reported. Errors:
// options out of range, a port in use.
func Start(options Options, source Source, machine *host.Host) (*Ingest, error) {
	options = options.withDefaults()
	if err := options.check(); err != nil {
		return nil, err
	}
	stop, err := newEvent()
	if err != nil {
		return nil, err
	}
	made := &Ingest{
		options: options, source: source, machine: machine, stop: stop, stopping: make(chan struct{}),
		subscriptions: make([]*Subscription, options.Subscriptions),
	}
	for number, port := range options.Ports {
		made.streams = append(made.streams, &stream{port: port, number: uint32(number), highest: make([]uint64, xdp.IngestQueues)})
	}
	if len(options.Ports) == 0 {
		return made, nil
	}
	made.reason = source.halted
	if err := made.openAFXDP(source); err != nil {
		made.reason = err.Error()
	}
	if err := made.openSockets(); err != nil {
		return nil, errors.Join(err, made.Close())
	}
	for _, group := range made.groups {
		group.start(&made.loops, func() { group.run(made.stop) })
	}
	made.log()
	return made, nil
}

// place is the NUMA node of the interface. Without one, memory and threads go where the kernel likes.
func (i *Ingest) place(from Source) place {
	node, known, err := i.machine.InterfaceNode(from.State.Interface)
	if err != nil || !known {
		slog.Debug("ingest: NUMA node of the interface unknown", "interface", from.State.Interface, "error", err)
		return place{node: slotpool.AnyNode}
	}
	cpus, err := i.machine.NodeCPUs(node)
	if err != nil {
		slog.Warn("ingest: CPUs of the interface's NUMA node unknown", "node", node, "error", err)
	}
	return place{node: int(node), cpus: cpus}
}

// openSockets opens one group beside AF_XDP, for what the program lets pass (fragments, other interfaces), and a few
// to share the work without it.
func (i *Ingest) openSockets() error {
	at, groups := i.place(i.source), 1
	if !i.redirect.open {
		groups = min(runtime.NumCPU(), i.options.Queues)
	}
	for number := range groups {
		group, err := openSockets(number, i.streams, i.options, at)
		if err != nil {
			return err
		}
		i.groups = append(i.groups, group)
	}
	return nil
}

// Mode is how datagrams come in at this moment, and why not in a better way.
func (i *Ingest) Mode() (Mode, string) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if i.reason != "" || !i.redirect.open {
		return ModeSocket, i.reason
	}
	switch state := i.source.Now(); state.Mode {
	case xdp.ModeNative:
		return ModeNative, ""
	case xdp.ModeGeneric:
		return ModeGeneric, state.Reason
	default:
		return ModeSocket, state.Reason
	}
}

func (i *Ingest) openSocketCount() uint64 {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	return uint64(i.redirect.queues)
}

func (i *Ingest) log() {
	mode, reason := i.Mode()
	level := slog.Info
	if mode != ModeNative {
		level = slog.Warn
	}
	level("ingest", "mode", mode, "ports", i.options.Ports, "interface", i.source.State.Interface,
		"af_xdp_queues", i.redirect.queues, "socket_groups", len(i.groups), "reason", reason)
}

// Stop ends all subscriptions. Datagrams are still received, and dropped.
func (i *Ingest) Stop() {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	select {
	case <-i.stopping:
	default:
		close(i.stopping)
	}
}

// Close ends everything, after Watch; afterwards the counters are final. The XDP program passes the ports' datagrams on
// again.
func (i *Ingest) Close() error {
	i.Stop()
	i.active.Wait()
	err := i.stop.set()
	i.loops.Wait()
	err = errors.Join(err, i.closeAFXDP(), i.stop.close())
	for _, group := range i.groups {
		err = errors.Join(err, group.close(), group.pool.Close())
	}
	for _, queue := range i.queues {
		err = errors.Join(err, queue.pool.Close())
	}
	return err
}

// Subscribe begins a subscription to ports, to all for none. The caller runs it and closes it.
func (i *Ingest) Subscribe(ports []uint16, peer string) (*Subscription, error) {
	streams, err := i.find(ports)
	if err != nil {
		return nil, err
	}
	made := newSubscription(i, peer, streams)
	if err := i.enter(made); err != nil {
		return nil, err
	}
	for position, stream := range streams {
		made.baseline[position] = stream.join(made, position)
	}
	return made, nil
}

func (i *Ingest) find(ports []uint16) ([]*stream, error) {
	if len(ports) == 0 {
		return i.streams, nil
	}
	var streams []*stream
	for _, port := range ports {
		index := slices.IndexFunc(i.streams, func(stream *stream) bool { return stream.port == port })
		if index < 0 {
			return nil, fmt.Errorf("%w: %d; ports are %v", ErrNoPort, port, i.options.Ports)
		}
		if !slices.Contains(streams, i.streams[index]) {
			streams = append(streams, i.streams[index])
		}
	}
	return streams, nil
}

// enter takes a free number.
func (i *Ingest) enter(subscription *Subscription) error {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	select {
	case <-i.stopping:
		return errStopping
	default:
	}
	number := slices.Index(i.subscriptions, nil)
	if number < 0 {
		return ErrFull
	}
	i.nextID++
	subscription.id, subscription.number = i.nextID, number
	i.subscriptions[number] = subscription
	i.active.Add(1)
	return nil
}

// forget frees the number, after the slots that its lists hold.
func (i *Ingest) forget(subscription *Subscription) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	for _, queue := range i.receiveQueues() {
		queue.pool.List(listOf(subscription.number)).Flush()
	}
	i.subscriptions[subscription.number] = nil
	i.active.Done()
}

func (i *Ingest) receiveQueues() []*queue {
	var all []*queue
	for _, queue := range i.queues {
		all = append(all, queue.queue)
	}
	for _, group := range i.groups {
		all = append(all, group.queue)
	}
	return all
}
