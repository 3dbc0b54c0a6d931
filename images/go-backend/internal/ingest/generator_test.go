//go:build performance

package ingest

import (
	"context"
	"encoding/binary"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	ingestv1 "triptych.dev/go-backend/gen/ingest/v1"
	"triptych.dev/go-backend/internal/numa"
)

const (
	benchPort = 514
	injected  = 1_000_000 // frames a measurement; making the kernel's generator alone takes some milliseconds
)

// generator injects frames into the wire from within the kernel, or drops them where they would leave.
type generator struct {
	redirect, drop *ebpf.Program
	frame          []byte
}

func newGenerator(t *testing.T) *generator {
	t.Helper()
	shape := to4(benchPort)
	shape.mac = hardware(t)
	return &generator{
		redirect: xdpProgram(t, asm.Mov.Imm(asm.R1, int32(device(t, remote).Attrs().Index)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call()),
		drop:     xdpProgram(t, asm.Mov.Imm(asm.R0, 1)),
		frame:    shape.frame(make([]byte, 64-42)),
	}
}

func xdpProgram(t *testing.T, instructions ...asm.Instruction) *ebpf.Program {
	t.Helper()
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL", Instructions: append(instructions, asm.Return()),
	})
	must(t, err)
	t.Cleanup(func() { program.Close() })
	return program
}

func (g *generator) inject(t *testing.T, program *ebpf.Program, count uint32) {
	t.Helper()
	_, err := program.Run(&ebpf.RunOptions{Data: g.frame, Repeat: count, Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	must(t, err)
}

// receiver takes what is there and returns how many datagrams reached the subscriber.
type receiver interface {
	drain() int
	wait()
}

// perCPUSecond is how many millions of datagrams one core takes in a second of CPU time, when it does everything in
// turn and loses nothing: what the kernel spends from the moment a frame is at the driver, and what the program spends
// until the subscriber has given the slot back. The generator's own time, measured with frames that it drops, is off.
func perCPUSecond(t *testing.T, from receiver) float64 {
	const bursts, burst = 25, 1500 // fewer than a ring holds
	pin(t, 0)
	generator := newGenerator(t)
	var spent time.Duration
	received := 0
	for range bursts {
		start := cpuTime(t)
		generator.inject(t, generator.drop, burst)
		own := cpuTime(t) - start
		generator.inject(t, generator.redirect, burst)
		for taken := from.drain(); taken > 0; taken = from.drain() {
			received += taken
		}
		spent += cpuTime(t) - start - 2*own
	}
	if received < bursts*burst*9/10 {
		t.Fatalf("%d of %d datagrams were received", received, bursts*burst)
	}
	return float64(received) / spent.Seconds() / 1e6
}

// cpuTime is that of this thread, with the interrupts that it served.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}

// flooded injects on CPU 0, where the kernel receives, too, while the receiver runs on another or the same CPU. The
// result is millions of datagrams a second between the first and the last that were received.
func flooded(t *testing.T, from receiver, receiverCPU int) float64 {
	generator := newGenerator(t)
	var stop atomic.Bool
	result := make(chan float64)
	go func() {
		pin(t, receiverCPU)
		result <- receiveUntil(&stop, from)
	}()
	pin(t, 0)
	generator.inject(t, generator.redirect, injected)
	time.Sleep(20 * time.Millisecond) // the receiver takes the rest
	stop.Store(true)
	found := <-result
	if found == 0 {
		t.Fatal("nothing was received")
	}
	return found
}

func receiveUntil(stop *atomic.Bool, from receiver) float64 {
	var first, last time.Time
	count := 0
	for !stop.Load() {
		now := from.drain()
		if now == 0 {
			from.wait()
			continue
		}
		if last = time.Now(); count == 0 {
			first = last
		}
		count += now
	}
	if count == 0 {
		return 0
	}
	return float64(count) / last.Sub(first).Seconds() / 1e6
}

func pin(t *testing.T, cpu int) {
	t.Helper()
	runtime.LockOSThread()
	if err := numa.PinThread([]int{cpu % runtime.NumCPU()}); err != nil {
		t.Error(err)
	}
}

// subscriber is a subscription without gRPC: it takes every datagram's slot and gives it back.
type subscriber struct {
	*Subscription
	batch []reference
	fd    int
	taken int // since the last wait
}

func (s *subscriber) take() int {
	s.batch = s.pop(s.batch[:0], receiveBatch)
	s.settle(s.batch, true)
	s.taken += len(s.batch)
	return len(s.batch)
}

func (s *subscriber) wait() {
	unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}, 10)
}

// newBench makes an ingest whose loops the benchmark runs itself.
func newBench(t *testing.T) (*Ingest, []*stream) {
	t.Helper()
	options := Options{Ports: []uint16{benchPort}, Subscriptions: 1}.withDefaults()
	made := &Ingest{options: options, stopping: make(chan struct{}), subscriptions: make([]*Subscription, 1)}
	made.streams = []*stream{{port: benchPort, highest: make([]uint64, 1)}}
	return made, made.streams
}

func newSubscriber(t *testing.T, ingest *Ingest, fd int) *subscriber {
	t.Helper()
	subscription, err := ingest.Subscribe(nil, "")
	must(t, err)
	return &subscriber{Subscription: subscription, fd: fd}
}

type xdpReceiver struct {
	*subscriber
	queue *afxdp
}

func newNativeReceiver(t *testing.T) receiver  { return newXDPReceiver(t, ModeNative) }
func newGenericReceiver(t *testing.T) receiver { return newXDPReceiver(t, ModeGeneric) }

func newXDPReceiver(t *testing.T, mode Mode) receiver {
	t.Helper()
	enterNamespace(t)
	if mode == ModeGeneric {
		enableGRO(t)
	}
	source, err := SourceOf(attach(t, mode))
	must(t, err)
	ingest, streams := newBench(t)
	queue, err := newAFXDP(0, streams, source, ingest.options, place{node: 0})
	must(t, err)
	must(t, queue.open(source))
	follower, err := followAddresses(streams, source.Maps)
	must(t, err)
	t.Cleanup(func() {
		must(t, follower.close())
		must(t, queue.close())
		must(t, queue.pool.Close())
	})
	return &xdpReceiver{subscriber: newSubscriber(t, ingest, queue.socket.Fd()), queue: queue}
}

// wait as the queue's own loop does.
func (r *xdpReceiver) wait() {
	pause([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, r.taken)
	r.taken = 0
}

func (r *xdpReceiver) drain() int {
	if r.queue.receive() == 0 {
		return 0
	}
	return r.take()
}

type socketReceiver struct {
	*subscriber
	group *sockets
}

func newSocketReceiver(t *testing.T) receiver {
	t.Helper()
	enterNamespace(t)
	enableGRO(t)
	ingest, streams := newBench(t)
	group, err := openSockets(0, streams, ingest.options, place{node: 0})
	must(t, err)
	t.Cleanup(func() {
		must(t, group.close())
		must(t, group.pool.Close())
	})
	return &socketReceiver{subscriber: newSubscriber(t, ingest, group.ports[0].fd), group: group}
}

func (r *socketReceiver) drain() int {
	r.group.receive(&r.group.ports[0], true)
	return r.take()
}

// plainReceiver is what a Go program does without any of this.
type plainReceiver struct {
	fd       int
	messages [receiveBatch]message
	vectors  [receiveBatch]unix.Iovec
	buffers  [receiveBatch][2048]byte
}

func newPlainReceiver(t *testing.T) receiver {
	t.Helper()
	enterNamespace(t)
	enableGRO(t)
	fd, err := bindPort(benchPort)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	made := &plainReceiver{fd: fd}
	for i := range made.messages {
		made.vectors[i].Base = &made.buffers[i][0]
		made.vectors[i].SetLen(len(made.buffers[i]))
		made.messages[i].header.Iov = &made.vectors[i]
		made.messages[i].header.SetIovlen(1)
	}
	return made
}

func (r *plainReceiver) drain() int {
	count, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(r.fd), uintptr(unsafe.Pointer(&r.messages[0])), receiveBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(count)
}

func (r *plainReceiver) wait() {
	unix.Poll([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, 10)
}

// nappingReceiver waits as the AF_XDP queue's loop does.
type nappingReceiver struct {
	*plainReceiver
	taken int
}

func newNappingReceiver(t *testing.T) receiver {
	t.Helper()
	return &nappingReceiver{plainReceiver: newPlainReceiver(t).(*plainReceiver)}
}

func (r *nappingReceiver) drain() int {
	count := r.plainReceiver.drain()
	r.taken += count
	return count
}

func (r *nappingReceiver) wait() {
	pause([]unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}}, r.taken)
	r.taken = 0
}

// enableGRO makes the uplink take redirected frames without an XDP program of its own.
func enableGRO(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	value := struct{ command, data uint32 }{unix.ETHTOOL_SGRO, 1}
	asked := request{data: unsafe.Pointer(&value)}
	copy(asked.name[:], uplink)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&asked)))
	if errno != 0 {
		t.Fatal(errno)
	}
	must(t, netlink.LinkSetDown(device(t, uplink)))
	must(t, netlink.LinkSetUp(device(t, uplink)))
}

// streamLatency sends a number of datagrams at a rate and returns how many a client over TCP missed, and the delays of
// the others, sorted.
func streamLatency(t *testing.T, mode Mode, count, rate int) (int, []time.Duration) {
	t.Helper()
	node := startNode(t, mode, Options{Ports: []uint16{benchPort}})
	stream := subscribeOverTCP(t, node)
	received := make(chan []time.Duration)
	go func() { received <- collectDelays(stream, count) }()
	wire, shape := newWire(t), to4(benchPort)
	shape.mac = hardware(t)
	payload, start := make([]byte, 64), time.Now()
	for i := range count {
		for due := start.Add(time.Duration(i) * time.Second / time.Duration(rate)); time.Now().Before(due); {
			time.Sleep(50 * time.Microsecond)
		}
		binary.BigEndian.PutUint64(payload, uint64(time.Now().UnixNano()))
		wire.send(t, shape.frame(payload))
	}
	node.settled(t, benchPort, uint64(count))
	time.Sleep(200 * time.Millisecond)
	node.Stop()
	delays := <-received
	slices.Sort(delays)
	return count - len(delays), delays
}

func subscribeOverTCP(t *testing.T, node *node) responses {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := grpc.NewServer()
	ingestv1.RegisterIngestServiceServer(server, NewService(node.Ingest))
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	// Dialled here: gRPC's own threads are in another namespace.
	dialled, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	connection, err := grpc.NewClient("passthrough:loopback", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(onlyOnce(dialled)))
	must(t, err)
	t.Cleanup(func() { connection.Close() })
	node.client = ingestv1.NewIngestServiceClient(connection)
	return node.subscribe(t, t.Context(), &ingestv1.SubscribeRequest{MaxLatency: latency(time.Millisecond)})
}

// onlyOnce hands out a connection that exists.
func onlyOnce(connection net.Conn) func(context.Context, string) (net.Conn, error) {
	return func(context.Context, string) (net.Conn, error) { return connection, nil }
}

func collectDelays(stream responses, count int) []time.Duration {
	delays := make([]time.Duration, 0, count)
	for len(delays) < count {
		response, err := stream.Recv()
		now := time.Now().UnixNano()
		if err != nil {
			return delays
		}
		for _, datagram := range response.Datagrams {
			delays = append(delays, time.Duration(now-int64(binary.BigEndian.Uint64(datagram.Payload))))
		}
	}
	return delays
}
