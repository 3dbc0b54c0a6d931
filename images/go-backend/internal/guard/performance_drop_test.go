//go:build performance

package guard

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	bursts      = 4
	burst       = 30_000
	floodFrames = 2_000_000
	// The generator's core, and the one that receives a flood.
	generatorCPU, receiverCPU = 0, 1
)

// measureClosed takes a figure once, in a namespace of its own. Returns nanoseconds per packet.
func (f *figure) measureClosed(t *testing.T) float64 {
	enterNamespace(t)
	addressUplink(t)
	frame := attack(t)
	receiveRedirected(t)
	f.set(t)
	socket := -1
	if f.drain {
		socket = openSocket(t)
	}
	pin(t, 0, generatorCPU)
	redirect, drop := redirector(t, f.vary), generator(t, f.vary, asm.Mov.Imm(asm.R0, 1))
	inject := func(program *ebpf.Program) time.Duration {
		start := cpuTime(t)
		liveFrames(t, program, frame, burst)
		if f.drain {
			for buffer := make([]byte, 2048); ; {
				if _, _, err := unix.Recvfrom(socket, buffer, unix.MSG_DONTWAIT); err != nil {
					break
				}
			}
		}
		return cpuTime(t) - start
	}
	inject(redirect)
	var spent time.Duration
	for range bursts {
		spent += inject(redirect) - inject(drop)
	}
	if got := received(t); got < bursts*burst {
		t.Fatalf("only %d of %d packets reached the interface", got, (bursts+1)*burst)
	}
	f.checkNothingPassed(t, bursts*burst)
	return float64(spent.Nanoseconds()) / (bursts * burst)
}

// measureFlood takes a figure once, with the interface polled by a kernel thread on a core of its own. Returns
// nanoseconds of that thread per packet that it took.
func (f *figure) measureFlood(t *testing.T) float64 {
	enterNamespace(t)
	addressUplink(t)
	frame := attack(t)
	pollers := pollByThread(t, receiverCPU, func() { receiveRedirected(t); f.set(t) })
	pin(t, 0, generatorCPU)
	redirect := redirector(t, f.vary)
	liveFrames(t, redirect, frame, burst)
	time.Sleep(20 * time.Millisecond)
	before, spent := received(t), threadTime(t, pollers)
	liveFrames(t, redirect, frame, floodFrames)
	time.Sleep(20 * time.Millisecond)
	got := received(t) - before
	spent = threadTime(t, pollers) - spent
	if got < floodFrames/200 {
		t.Fatalf("only %d of %d packets reached the interface", got, floodFrames)
	}
	f.checkNothingPassed(t, int(got))
	return float64(spent.Nanoseconds()) / float64(got)
}

func liveFrames(t *testing.T, program *ebpf.Program, frame []byte, count uint32) {
	t.Helper()
	_, err := program.Run(&ebpf.RunOptions{Data: frame, Repeat: count, Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	must(t, err)
}

// received counts the packets that reached the uplink.
func received(t *testing.T) uint64 {
	t.Helper()
	device, err := netlink.LinkByName(uplink)
	must(t, err)
	return device.Attrs().Statistics.RxPackets
}

// pollByThread has the uplink, once it is set up, polled by kernel threads on one CPU. Returns their numbers.
func pollByThread(t *testing.T, cpu int, setUp func()) []int {
	t.Helper()
	before := pollers(t)
	sys := t.TempDir()
	must(t, unix.Mount("sysfs", sys, "sysfs", 0, "")) // of this namespace
	setUp()
	err := os.WriteFile(filepath.Join(sys, "class/net", uplink, "threaded"), []byte("1"), 0)
	must(t, errors.Join(err, unix.Unmount(sys, unix.MNT_DETACH)))
	added := slices.DeleteFunc(pollers(t), func(id int) bool { return slices.Contains(before, id) })
	if len(added) == 0 {
		t.Fatal("no kernel thread polls the uplink")
	}
	for _, id := range added {
		pin(t, id, cpu)
	}
	return added
}

func pollers(t *testing.T) []int {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	must(t, err)
	var found []int
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil || !strings.HasPrefix(string(text), "napi/"+uplink+"-") {
			continue
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		must(t, err)
		found = append(found, id)
	}
	return found
}

// threadTime is the CPU time of threads.
func threadTime(t *testing.T, ids []int) time.Duration {
	t.Helper()
	var sum time.Duration
	for _, id := range ids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", id))
		must(t, err)
		nanoseconds, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		must(t, err)
		sum += time.Duration(nanoseconds)
	}
	return sum
}

// cpuTime is that of this thread, with the interrupts that it served.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}

// pin keeps a thread, 0 for this one, on one CPU.
func pin(t testing.TB, thread, cpu int) {
	t.Helper()
	var set unix.CPUSet
	set.Set(cpu)
	must(t, unix.SchedSetaffinity(thread, &set))
}

// receiveRedirected switches GRO on: without it, or an XDP program, a veth takes no redirected frames.
func receiveRedirected(t *testing.T) {
	t.Helper()
	setFeature(t, uplink, unix.ETHTOOL_SGRO, 1)
}

// setFeature is what ethtool -K does.
func setFeature(t *testing.T, device string, command, wanted uint32) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(socket)
	value := struct{ command, data uint32 }{command, wanted}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:], device)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(errno)
	}
}

// checkNothingPassed fails if packets reached the network stack's end, where they would have cost more than a drop. A
// token bucket lets a few through.
func (f *figure) checkNothingPassed(t *testing.T, sent int) {
	t.Helper()
	if f.drain {
		return
	}
	text, err := os.ReadFile("/proc/thread-self/net/snmp")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] != "Udp:" || fields[1] == "InDatagrams" {
			continue
		}
		noPort, err := strconv.Atoi(fields[2])
		must(t, err)
		if noPort > max(sent/1000, 10*256) {
			t.Errorf("packets came through: %s", line)
		}
	}
}

func openSocket(t *testing.T) int {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(socket) })
	must(t, errors.Join(
		unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20),
		unix.Bind(socket, &unix.SockaddrInet4{Port: generated}),
	))
	return socket
}
