//go:build performance

package ingest

import (
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"triptych.dev/go-backend/internal/slotpool"
)

// rounds is how often each figure is taken, all of them in turn.
const rounds = 5

// figure is one thing measured, in a unit; measure takes it once.
type figure struct {
	name    string
	measure func(t *testing.T) float64
	values  []float64
}

// median is NaN, and row empty, for a figure that was not chosen.
func (f *figure) median() float64 {
	if len(f.values) == 0 {
		return math.NaN()
	}
	slices.Sort(f.values)
	return f.values[len(f.values)/2]
}

func (f *figure) row(format string) string {
	if len(f.values) == 0 {
		return ""
	}
	return fmt.Sprintf("| %s | "+format+" | "+format+" – "+format+" |\n", f.name, f.median(), f.values[0], f.values[len(f.values)-1])
}

// interleave takes every figure once a round, so that a busy moment of the machine hits all of them.
func interleave(t *testing.T, figures ...*figure) {
	t.Helper()
	for range rounds {
		for _, figure := range figures {
			t.Run(figure.name, func(t *testing.T) { figure.values = append(figure.values, figure.measure(t)) })
		}
	}
}

// TestPerformance writes the report to the file PERFORMANCE_REPORT names. With only a part of it chosen (-v -run
// 'TestPerformance/slot_pool') it prints what was measured and leaves the report alone.
func TestPerformance(t *testing.T) {
	report := &strings.Builder{}
	fmt.Fprintf(report, "# Performance of the ingest\n\nMade by `make -C images/go-backend bench-ingest` (as root, about 2 minutes): "+
		"%d rounds, all figures in turn, median and range. %s\n\n", rounds, machineText(t))
	receiveFigures(t, report)
	poolFigures(t, report)
	latencyFigures(t, report)
	fmt.Print(report)
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return
	}
	must(t, os.WriteFile(os.Getenv("PERFORMANCE_REPORT"), []byte(report.String()), 0o644))
}

// machineText says on what the figures were taken, and whether others worked there.
func machineText(t *testing.T) string {
	t.Helper()
	kernel, err := exec.Command("uname", "-r").Output()
	must(t, err)
	load, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	var model string
	information, err := os.ReadFile("/proc/cpuinfo")
	must(t, err)
	for line := range strings.Lines(string(information)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
		}
	}
	return fmt.Sprintf("%s, %d CPUs, kernel %s, %s; load average before the start: %s (a quiet machine: below 1).",
		model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version(), strings.Fields(string(load))[0])
}

func receiveFigures(t *testing.T, report *strings.Builder) {
	t.Helper()
	onCPU := func(cpu int) func(*testing.T, receiver) float64 {
		return func(t *testing.T, from receiver) float64 { return flooded(t, from, cpu) }
	}
	for _, shape := range []struct {
		title, text string
		run         func(*testing.T, receiver) float64
	}{
		{"one core in turn", "Per second of CPU time, kernel and program together, without the generator's own time, nothing lost. Other work on the machine hardly matters here.", perCPUSecond},
		{"flood, two cores", "Per second. The kernel generates and receives on one core without a pause, the program takes on the other. A busy AF_XDP queue naps for 50 µs when its ring is empty, so that the first core need not wake it. Needs a quiet machine.", onCPU(1)},
		{"flood, one core", "Per second. Generator, kernel and program fight for a core. Needs a quiet machine.", onCPU(0)},
	} {
		measure := func(open func(*testing.T) receiver) func(*testing.T) float64 {
			return func(t *testing.T) float64 { return shape.run(t, open(t)) }
		}
		figures := []*figure{
			{name: "AF_XDP native, with slot hand-off", measure: measure(newNativeReceiver)},
			{name: "AF_XDP generic, with slot hand-off", measure: measure(newGenericReceiver)},
			{name: "sockets, with slot hand-off", measure: measure(newSocketReceiver)},
			{name: "recvmmsg(64) alone", measure: measure(newPlainReceiver)},
			{name: "recvmmsg(64) alone, napping as AF_XDP does", measure: measure(newNappingReceiver)},
		}
		interleave(t, figures...)
		fmt.Fprintf(report, "## Receiving, %s\n\nMillions of datagrams of 64 bytes that reach the subscriber, over a veth pair, copy mode. %s\n\n| | median | range |\n|---|---|---|\n", shape.title, shape.text)
		for _, figure := range figures {
			report.WriteString(figure.row("%.2f"))
		}
		fmt.Fprintf(report, "\nAF_XDP native ÷ recvmmsg(64) alone: **%.1f** (goal 4); ÷ the same, napping: %.1f.\n\n",
			figures[0].median()/figures[3].median(), figures[0].median()/figures[4].median())
	}
}

func poolFigures(t *testing.T, report *strings.Builder) {
	t.Helper()
	nanoseconds := func(run func(b *testing.B)) func(*testing.T) float64 {
		return func(*testing.T) float64 {
			result := testing.Benchmark(run)
			if result.AllocsPerOp() != 0 {
				t.Errorf("%d allocations", result.AllocsPerOp())
			}
			return float64(result.T.Nanoseconds()) / float64(result.N)
		}
	}
	pool, err := slotpool.New(slotpool.Options{Slots: 4096, SlotBytes: 2048, Lists: 1, Node: slotpool.AnyNode})
	must(t, err)
	defer pool.Close()
	list, shared := pool.List(0), sync.Pool{New: func() any { return new([2048]byte) }}
	free := make(chan *[2048]byte, 4096)
	for range cap(free) {
		free <- new([2048]byte)
	}
	figures := []*figure{
		{name: "slot pool", measure: nanoseconds(func(b *testing.B) {
			for b.Loop() {
				slot, _ := list.Get()
				list.Put(slot)
			}
		})},
		{name: "sync.Pool", measure: nanoseconds(func(b *testing.B) {
			for b.Loop() {
				shared.Put(shared.Get())
			}
		})},
		{name: "channel", measure: nanoseconds(func(b *testing.B) {
			for b.Loop() {
				free <- <-free
			}
		})},
	}
	interleave(t, figures...)
	report.WriteString("## Slot pool\n\nNanoseconds for a get and a put on one core, 0 allocations (goal 5).\n\n| | median | range |\n|---|---|---|\n")
	for _, figure := range figures {
		report.WriteString(figure.row("%.2f"))
	}
	report.WriteString("\n")
}

func latencyFigures(t *testing.T, report *strings.Builder) {
	t.Helper()
	report.WriteString("## From the wire to a gRPC client\n\n10 000 datagrams a second for 2 s, over TCP on the loopback, `max_latency` 1 ms. " +
		"Milliseconds from the sender's clock to the client's (goal: 99th percentile below 10 ms, none lost).\n\n| | lost | median | 99th percentile | slowest |\n|---|---|---|---|---|\n")
	for _, mode := range []Mode{ModeNative, ModeSocket} {
		t.Run(string(mode), func(t *testing.T) {
			lost, delays := streamLatency(t, mode, 20_000, 10_000)
			at := func(share float64) float64 {
				return delays[int(share*float64(len(delays)-1))].Seconds() * 1000
			}
			fmt.Fprintf(report, "| %s | %d | %.2f | %.2f | %.2f |\n", mode, lost, at(0.5), at(0.99), at(1))
			time.Sleep(100 * time.Millisecond)
		})
	}
}
