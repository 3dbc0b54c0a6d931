//go:build performance

package guard

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const rounds = 3

// series are the values of one figure.
type series []float64

func (s series) median() float64 {
	slices.Sort(s)
	return s[len(s)/2]
}

// row is a line of a table: median and range.
func (s series) row(name string) string {
	return fmt.Sprintf("| %s | %.0f | %.0f – %.0f |\n", name, s.median(), s[0], s[len(s)-1])
}

// TestPerformance writes the report to the file PERFORMANCE_REPORT names. With only a part of it chosen
// (-v -run 'TestPerformance/closed/nft_raw') it prints what was measured and leaves the report alone.
func TestPerformance(t *testing.T) {
	load, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	all := figures()
	tcp := newTCPFigure()
	program := &programFigure{}
	for range rounds {
		for _, figure := range all {
			t.Run("closed/"+figure.name, func(t *testing.T) { figure.closed = append(figure.closed, figure.measureClosed(t)) })
			if !figure.drain && !figure.closedOnly {
				t.Run("flood/"+figure.name, func(t *testing.T) { figure.flood = append(figure.flood, figure.measureFlood(t)) })
			}
		}
		t.Run("program", program.measure)
		t.Run("tcp/unprotected", func(t *testing.T) { tcp.measure(t, nil) })
		t.Run("tcp/guard", func(t *testing.T) { tcp.measure(t, protection()) })
		if t.Failed() {
			return
		}
	}
	var full *million
	t.Run("million", func(t *testing.T) { full = applyMillion(t) })
	if t.Failed() {
		return
	}
	if full == nil || len(program.values) == 0 || len(tcp.runs) < 2 || slices.ContainsFunc(all, (*figure).isMissing) {
		printPart(all, program)
		return
	}
	report := &strings.Builder{}
	fmt.Fprintf(report, "# Performance of the edge guard\n\nMade by `make -C images/go-backend bench-guard` (as root; `bench-tools` installs the peers): "+
		"%d rounds, all figures in turn, median and range. %s, %d CPUs; load average before the start: %s (a quiet machine: below 1).\n\n",
		rounds, kernelText(t), runtime.NumCPU(), strings.Fields(string(load))[0])
	writeDrops(report, all)
	tcp.write(report)
	program.write(report)
	full.write(report)
	fmt.Print(report)
	must(t, os.WriteFile(os.Getenv("PERFORMANCE_REPORT"), []byte(report.String()), 0o644))
}

// printPart prints the figures that were taken, in nanoseconds per packet.
func printPart(all []*figure, program *programFigure) {
	fmt.Print("Only a part was chosen, so there is no report.\n\n| nanoseconds per packet | median | range |\n|---|---|---|\n")
	row := func(name string, values series) {
		if len(values) > 0 {
			fmt.Print(values.row(name))
		}
	}
	for _, figure := range all {
		row("closed: "+figure.name, figure.closed)
		row("flood: "+figure.name, figure.flood)
	}
	for i, name := range program.names {
		row(name, program.values[i])
	}
}

func kernelText(t *testing.T) string {
	t.Helper()
	kernel, err := exec.Command("uname", "-r").Output()
	must(t, err)
	return "Kernel " + strings.TrimSpace(string(kernel))
}

func writeDrops(report *strings.Builder, all []*figure) {
	report.WriteString(`## Dropping, one core

Nanoseconds of CPU time for each UDP packet of 64 bytes, from the driver (veth) to its end. CPU time, so that other work on the machine matters little.
Closed: bursts on one core, nothing waits; the generator's own time, measured with frames that it drops, is off. Flood: the generator has the other core to itself and sends as fast as it can; the time is that of the kernel thread which polls the interface, for each packet that it took.
"10 000" is the same number of denied prefixes on both sides, of 29 bits; "one rule" is the rule set with that rule alone.

| closed | median | range |
|---|---|---|
`)
	for _, figure := range all {
		report.WriteString(figure.closed.row(figure.name))
	}
	report.WriteString("\n| flood | median | range |\n|---|---|---|\n")
	for _, figure := range all {
		if len(figure.flood) > 0 {
			report.WriteString(figure.flood.row(figure.name))
		}
	}
	closed := func(slow, fast string) float64 {
		return figureNamed(all, slow).closed.median() / figureNamed(all, fast).closed.median()
	}
	flood := func(slow, fast string) float64 {
		return figureNamed(all, slow).flood.median() / figureNamed(all, fast).flood.median()
	}
	report.WriteString("\n| how many times faster | closed | goal | flood | goal |\n|---|---|---|---|---|\n")
	fmt.Fprintf(report, "| XDP drop ÷ nft raw, one rule | **%.1f** | 3.5 | **%.1f** | 5 |\n", closed(nftRaw, bareXDP), flood(nftRaw, bareXDP))
	fmt.Fprintf(report, "| guard, denied prefix ÷ nft raw, one rule | %.1f | | %.1f | |\n", closed(nftRaw, guardDenied), flood(nftRaw, guardDenied))
	fmt.Fprintf(report, "| guard, denied prefix ÷ nft raw, 10 000 | %.1f | | %.1f | |\n", closed(nftSet, guardDenied), flood(nftSet, guardDenied))
	fmt.Fprintf(report, "| guard, all steps ÷ nft raw, one rule | **%.1f** | 2 | %.1f | |\n", closed(nftRaw, guardAll), flood(nftRaw, guardAll))
	fmt.Fprintf(report, "| guard, all steps ÷ UDP socket | **%.1f** | 10 | | |\n\n", closed(udpSocket, guardAll))
}

func (m *million) write(report *strings.Builder) {
	fmt.Fprintf(report, `## A million prefixes

500 000 IPv4 addresses and 500 000 IPv6 prefixes of 64 bits, scattered, one rule each, all in the kernel: applied in %.1f s, %.1f s of them CPU time; a thousand of them replaced in %.1f s (%.1f), by %d writes.
The kernel's maps took %d MiB (without the inner nodes of the tries, at most as many as entries), the process %d MiB. `+"`TestMillionPrefixesInTheKernel` holds it: one entry more is refused with RESOURCE_EXHAUSTED and changes nothing."+`
`, m.all.Seconds(), m.allCPU.Seconds(), m.thousand.Seconds(), m.thousandCPU.Seconds(), m.thousandWrites, m.kernelMemory>>20, m.processMemory>>20)
}
