//go:build !race

package guard

// Tests that take long and run on one goroutine: the race detector would find nothing and make them ten times as slow.

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// TestFuzzPrefixes changes prefixes of all lengths again and again, and judges packets from addresses in, beside and
// around them. Some rounds have few lengths, some more of them than the prefilter keeps.
func TestFuzzPrefixes(t *testing.T) {
	const rounds, revisions, packets = 24, 10, 1000
	for round := range uint64(rounds) {
		random := rand.New(rand.NewPCG(round, 6))
		bench, set := newBench(t, Policy{}), newPrefixSet(random)
		for number := uint64(2); number < 2+revisions; number++ {
			change := set.change(number)
			_, err := bench.guard.Apply(change)
			must(t, err)
			bench.follow(slices.Collect(maps.Values(set.rules)), change.Policy)
			for range packets {
				bench.run(t, set.packet())
			}
			bench.check(t)
			if t.Failed() {
				t.Fatalf("round %d, revision %d", round, number)
			}
		}
		must(t, bench.program.Close())
	}
}

// prefixSet are rules that come, go and come back, all around a few addresses.
type prefixSet struct {
	random   *rand.Rand
	around   []netip.Addr
	lengths  [2][]int // by family
	rules    map[netip.Prefix]*Rule
	prefixes []netip.Prefix // all there ever were
}

func newPrefixSet(random *rand.Rand) *prefixSet {
	set := &prefixSet{random: random, around: []netip.Addr{friend, enemy, friend6, enemy6}, rules: map[netip.Prefix]*Rule{}}
	for family, bits := range []int{32, 128} {
		count := []int{1, 4, xdp.PrefilterLengths, xdp.PrefilterLengths + 1, bits}[random.IntN(5)]
		set.lengths[family] = random.Perm(bits + 1)[:min(count, bits)]
		if random.IntN(2) == 0 {
			set.lengths[family] = append(set.lengths[family], 0)
		}
	}
	return set
}

// near is an address that differs from another one in one bit, or not at all.
func (s *prefixSet) near(address netip.Addr) netip.Addr {
	bytes := address.AsSlice()
	if bit := s.random.IntN(9 * len(bytes)); bit < 8*len(bytes) {
		bytes[bit/8] ^= 0x80 >> (bit % 8)
	}
	near, _ := netip.AddrFromSlice(bytes)
	return near
}

func (s *prefixSet) change(number uint64) *Change {
	change := &Change{Number: number, Base: number - 1, Policy: Policy{Drop: s.random.IntN(2) == 0}}
	for _, prefix := range slices.SortedFunc(maps.Keys(s.rules), comparePrefixes) {
		if s.random.IntN(4) == 0 {
			change.Removed = append(change.Removed, s.rules[prefix].ID)
			delete(s.rules, prefix)
		}
	}
	for added := range s.random.IntN(200) {
		prefix := s.prefix()
		if s.rules[prefix] != nil {
			continue
		}
		made := rule(fmt.Sprintf("%d-%d", number, added), prefix.String(), uint8(1+s.random.IntN(2)))
		if s.random.IntN(20) == 0 {
			made.Protocol = 6
		}
		s.rules[prefix] = made
		s.prefixes = append(s.prefixes, prefix)
		change.Upserts = append(change.Upserts, made)
	}
	return change
}

func (s *prefixSet) prefix() netip.Prefix {
	if len(s.prefixes) > 0 && s.random.IntN(3) == 0 {
		return s.prefixes[s.random.IntN(len(s.prefixes))]
	}
	address := s.near(s.near(s.around[s.random.IntN(len(s.around))]))
	lengths := s.lengths[0]
	if address.Is6() {
		lengths = s.lengths[1]
	}
	prefix, _ := address.Prefix(lengths[s.random.IntN(len(lengths))])
	return prefix
}

func (s *prefixSet) packet() []byte {
	source := s.around[s.random.IntN(len(s.around))]
	if len(s.prefixes) > 0 {
		source = s.prefixes[s.random.IntN(len(s.prefixes))].Addr()
	}
	source = s.near(source)
	if source.Is6() {
		return udp6(source, 1000, 2000)
	}
	if s.random.IntN(8) == 0 {
		return tcp4(source, 1000, 2000, 0)
	}
	return udp4(source, 1000, 2000)
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
