//go:build performance

package guard

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"triptych.dev/go-backend/internal/xdp"
)

const (
	largeTable    = 100_000
	sourcesTaken  = 16
	filterProgram = "xdpfilt_alw_ip"
	filterObject  = "/usr/lib/x86_64-linux-gnu/bpf/" + filterProgram + ".o"
)

// programFigure is the time of the program alone, by the kernel's own clock, and of xdp-filter's.
type programFigure struct {
	names  []string
	values []series
}

func (f *programFigure) measure(t *testing.T) {
	results, err := Measure(MeasureOptions{Prefixes: largeTable, Sources: sourcesTaken, Packets: 1_000_000})
	must(t, err)
	results = append(results, measureFilter(t)...)
	for i, result := range results {
		if len(f.values) <= i {
			f.names, f.values = append(f.names, result.Name), append(f.values, nil)
		}
		f.values[i] = append(f.values[i], result.NanosecondsPerPacket)
	}
}

// measureFilter runs xdp-filter's program for IP addresses as Debian compiled it, with a table of the same size.
func measureFilter(t *testing.T) []Measurement {
	spec, err := ebpf.LoadCollectionSpec(filterObject)
	must(t, err)
	for _, table := range spec.Maps {
		table.Pinning = ebpf.PinNone
	}
	spec.Maps["filter_ipv4"].MaxEntries = largeTable
	collection, err := ebpf.NewCollection(spec)
	must(t, err)
	defer collection.Close()
	flags := make([]uint64, ebpf.MustPossibleCPU())
	for i := range flags {
		flags[i] = 1 // by source
	}
	fillFilter(t, collection.Maps["filter_ipv4"], largeTable, flags)
	program := collection.Programs[filterProgram]
	var sum float64
	for i := range sourcesTaken {
		frame := smallPacket(numbered(firstDenied, i*(largeTable/sourcesTaken)))
		action, mean, err := program.Benchmark(frame, 1_000_000/sourcesTaken, nil)
		must(t, err)
		if action != 1 {
			t.Fatalf("xdp-filter took action %d", action)
		}
		sum += float64(mean.Nanoseconds())
	}
	results := []Measurement{{"xdp-filter: one of 100 000 denied sources, 16 in turn", sum / sourcesTaken}}
	for _, step := range []struct {
		name  string
		first netip.Addr
	}{
		{"xdp-filter: every packet from another denied source", firstDenied},
		{"xdp-filter: every packet from another source that is not denied", besideFirst},
	} {
		mean, err := xdp.MeasureSources(program, spec.Programs[filterProgram].Flags, smallPacket(step.first), sourcesFrom(step.first, largeTable), 1_000_000)
		must(t, err)
		results = append(results, Measurement{step.name, float64(mean.Nanoseconds())})
	}
	return results
}

func (f *programFigure) write(report *strings.Builder) {
	fmt.Fprintf(report, "## The program alone\n\nNanoseconds per packet by PROG_TEST_RUN (`go-backend bench`), %d denied prefixes, adjacent, each beside as many addresses that are not denied; "+
		"%d sources in turn, or every packet from another of %d. Goal for the full guard: 130.\n\n"+
		"| | median | range |\n|---|---|---|\n", largeTable, sourcesTaken, largeTable)
	for i, name := range f.names {
		report.WriteString(f.values[i].row(name))
	}
	report.WriteString("\nMeasured as root, with CAP_PERFMON; decision 0013 tells how the program avoids the barriers that the verifier adds without it, as in the cluster. Decision 0019 tells what is done for sources that are not remembered.\n\n")
}
