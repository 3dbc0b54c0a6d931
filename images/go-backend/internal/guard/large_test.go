//go:build !race

package guard

// Tests that take long and run on one goroutine: the race detector would find nothing and make them ten times as slow.

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"triptych.dev/go-backend/internal/xdp"
)

// TestFuzz compares program and reference on random rules and mutated packets; the seed makes a failure repeatable.
func TestFuzz(t *testing.T) {
	const rounds, packets = 50, 20_000
	for round := range uint64(rounds) {
		random := rand.New(rand.NewPCG(round, 1))
		rules, policy := randomRules(random)
		bench := newBench(t, policy, rules...)
		for range packets {
			frame := mutate(random, verdictCases[random.IntN(len(verdictCases))].frame)
			bench.run(t, frame)
			if random.IntN(1000) == 0 {
				bench.later(t, time.Duration(random.IntN(int(time.Second))))
			}
		}
		bench.check(t)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		must(t, bench.program.Close())
	}
}

// scattered numbers prefixes all over the address space, every second one IPv6: a multiplication by an odd number maps
// numbers one to one.
func scattered(number int) netip.Prefix {
	mixed := uint32(number/2) * 2654435761
	if number%2 == 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, mixed))), 32)
	}
	address := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(address[4:], mixed)
	return netip.PrefixFrom(netip.AddrFrom16(address), 64)
}

func scatteredRules(from, to int) []*Rule {
	rules := make([]*Rule, 0, to-from)
	for number := from; number < to; number++ {
		rules = append(rules, &Rule{ID: fmt.Sprint("deny-", number), Effect: Effect{
			Match: Match{Prefix: scattered(number), Ports: noPorts}, Action: xdp.ActionDeny,
		}})
	}
	return rules
}

// million is what a full table took.
type million struct {
	program                     *xdp.Program
	guard                       *Guard
	all, allCPU                 time.Duration
	thousand, thousandCPU       time.Duration
	kernelMemory, processMemory uint64 // bytes
	thousandWrites              int
}

// applyMillion loads so many prefixes as fit into the kernel, and then replaces a thousand of them.
func applyMillion(t *testing.T) *million {
	t.Helper()
	before := kernelMemory(t)
	m := &million{program: load(t, xdp.LoadOptions{FailSafe: defaultFailSafe(t)})}
	tables := m.program.Tables()
	t.Cleanup(func() { tables.Close() })
	m.guard = New(tables, nil)
	rules, busy := scatteredRules(0, MaxPrefixes), processTime(t)
	result, err := m.guard.Apply(&Change{Number: 1, Upserts: rules})
	must(t, err)
	m.all, m.allCPU = result.Duration, processTime(t)-busy
	m.kernelMemory = kernelMemory(t) - before
	var removed []string
	for number := range 1000 {
		removed = append(removed, fmt.Sprint("deny-", number))
	}
	busy = processTime(t)
	result, err = m.guard.Apply(&Change{Number: 2, Base: 1, Removed: removed, Upserts: scatteredRules(MaxPrefixes, MaxPrefixes+1000)})
	must(t, err)
	m.thousand, m.thousandCPU, m.thousandWrites = result.Duration, processTime(t)-busy, result.Changed
	runtime.GC()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	m.processMemory = heap.HeapAlloc
	return m
}

// processTime is the CPU time of this process.
func processTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now))
	return time.Duration(now.Nano())
}

// kernelMemory sums what the kernel says the maps of this process take, in bytes; of a trie without its inner nodes,
// of which there is less than one for each entry.
func kernelMemory(t *testing.T) uint64 {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fdinfo/*")
	must(t, err)
	var sum uint64
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			continue // closed meanwhile, the directory's own for one
		}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if text, found := strings.CutPrefix(lines.Text(), "memlock:"); found {
				bytes, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
				must(t, err)
				sum += bytes
			}
		}
		file.Close()
	}
	return sum
}

// TestMillionPrefixesInTheKernel fills the tables for real. One entry more gets a gRPC status and changes nothing.
func TestMillionPrefixesInTheKernel(t *testing.T) {
	m := applyMillion(t)
	t.Logf("a million prefixes in %s (CPU %s), a thousand others in %s (CPU %s), %d MiB in the kernel, %d in the process",
		m.all, m.allCPU, m.thousand, m.thousandCPU, m.kernelMemory>>20, m.processMemory>>20)
	if m.thousandWrites != 3000 { // written, overruled, deleted
		t.Errorf("%d writes for a thousand other prefixes", m.thousandWrites)
	}
	check := func() {
		t.Helper()
		if ipv4, ipv6 := m.guard.Prefixes(); ipv4 != MaxPrefixes/2 || ipv6 != MaxPrefixes/2 {
			t.Errorf("%d and %d prefixes are in force", ipv4, ipv6)
		}
		for number := 0; number < MaxPrefixes+2000; number += 499 {
			source := scattered(number).Addr()
			frame := udp6
			if source.Is4() {
				frame = udp4
			}
			action, err := m.program.Run(frame(source, 1000, 2000))
			must(t, err)
			if denied := number >= 1000 && number < MaxPrefixes+1000; denied != (action == 1) {
				t.Fatalf("action %d for number %d, %s", action, number, source)
			}
		}
	}
	check()
	_, err := m.guard.Apply(&Change{Number: 3, Base: 2, Upserts: scatteredRules(MaxPrefixes+1000, MaxPrefixes+1001)})
	if status := grpcstatus.Convert(err); status.Code() != codes.ResourceExhausted || status.Message() != "the revision has 1000001 prefixes, at most 1000000 fit" {
		t.Errorf("error %v", err)
	}
	if revision, _ := m.guard.Current(); revision.Number != 2 {
		t.Errorf("revision %d", revision.Number)
	}
	check()
}
