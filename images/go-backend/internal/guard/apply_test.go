package guard

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"triptych.dev/go-backend/internal/xdp"
)

// follow makes the reference judge by other rules from now on; buckets and counters of rules that stay go on.
func (b *bench) follow(rules []*Rule, policy Policy) {
	b.reference.rules, b.reference.policy = rules, policy
}

// TestRevisionsOneAfterTheOther applies random revisions to one program: whatever is reused, verdicts are the reference's.
func TestRevisionsOneAfterTheOther(t *testing.T) {
	bench := newBench(t, Policy{})
	for number := uint64(2); number < 60; number++ {
		random := rand.New(rand.NewPCG(number, 2))
		rules, policy := randomRules(random)
		for _, rule := range rules {
			rule.ID = fmt.Sprintf("%d-%s", number, rule.ID) // so that no counter goes on
		}
		_, err := bench.guard.Apply(&Change{Number: number, Policy: policy, Upserts: rules})
		must(t, err)
		bench.follow(rules, policy)
		bench.reference.buckets = map[string]*referenceBucket{}
		bench.later(t, 24*time.Hour) // every bucket is full again
		for range 300 {
			bench.run(t, mutate(random, verdictCases[random.IntN(len(verdictCases))].frame))
		}
		bench.check(t)
		if t.Failed() {
			t.Fatalf("revision %d", number)
		}
	}
}

func TestOnlyTheDifferenceIsWritten(t *testing.T) {
	bench := newBench(t, Policy{})
	var many []*Rule
	for i := range 1000 {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		many = append(many, rule(fmt.Sprint("rule-", i), prefix.String(), xdp.ActionDeny))
	}
	steps := []struct {
		name   string
		change Change
		want   int
	}{
		{"all", Change{Number: 2, Upserts: many}, 1000},
		{"one more", Change{Number: 3, Base: 2, Upserts: []*Rule{rule("more", "11.0.0.0/8", xdp.ActionDeny)}}, 1},
		{"one changes", Change{Number: 4, Base: 3, Upserts: []*Rule{rule("rule-7", "10.0.7.0/24", xdp.ActionAllow)}}, 1},
		{"one goes", Change{Number: 5, Base: 4, Removed: []string{"rule-8", "unknown"}}, 2}, // overruled, then deleted
		{"a comment changes", Change{Number: 6, Base: 5, Upserts: []*Rule{
			rule("more", "11.0.0.0/8", xdp.ActionDeny, func(rule *Rule) { rule.Comment = "why" }),
		}}, 0},
		{"nothing changes", Change{Number: 7, Base: 6}, 0},
	}
	for _, step := range steps {
		result, err := bench.guard.Apply(&step.change)
		must(t, err)
		if result.Changed != step.want {
			t.Errorf("%s: %d entries changed, want %d", step.name, result.Changed, step.want)
		}
	}
}

// TestDifferenceIsAsGoodAsAll changes rules again and again: what is in force is what the same rules, sent at once, lead to.
func TestDifferenceIsAsGoodAsAll(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	guard, rules := New(nil, nil), map[string]*Rule{}
	guard.now = func() time.Time { return time.Unix(1000, 0) }
	_, err := guard.Apply(&Change{Number: 1})
	must(t, err)
	for number := uint64(2); number < 200; number++ {
		change := &Change{Number: number, Base: number - 1}
		touched := map[string]bool{}
		for range random.IntN(20) {
			id := fmt.Sprint("rule-", random.IntN(100))
			if touched[id] {
				continue
			}
			touched[id] = true
			if random.IntN(3) == 0 {
				change.Removed = append(change.Removed, id)
				delete(rules, id)
				continue
			}
			made := rule(id, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(random.IntN(4))}), 16).String(), xdp.ActionDeny)
			if random.IntN(4) == 0 {
				made.ExpiresAt = time.Unix(int64(random.IntN(2000)), 0)
			}
			change.Upserts = append(change.Upserts, made)
			rules[id] = made
		}
		_, err := guard.Apply(change)
		must(t, err)
		atOnce := New(nil, nil)
		atOnce.now = guard.now
		_, err = atOnce.Apply(&Change{Number: number, Upserts: slices.Collect(maps.Values(rules))})
		must(t, err)
		got, inForce := guard.Current()
		want, wantedInForce := atOnce.Current()
		if !got.same(want) || !slices.Equal(inForce, wantedInForce) || !slices.Equal(got.orders.byPrefix, want.orders.byPrefix) {
			t.Fatalf("revision %d: %d rules, %d in force, want %d and %d", number, len(got.Rules), len(inForce), len(want.Rules), len(wantedInForce))
		}
	}
}

// TestNoPacketSeesHalfARevision changes everything at once, over and over, so that one source always passes: by an
// allow rule under a policy that drops, or by a policy that passes without any rule.
func TestNoPacketSeesHalfARevision(t *testing.T) {
	bench := newBench(t, Policy{})
	frame := udp4(friend, 1000, 2000)
	var stop atomic.Bool
	judged := make(chan error, 1)
	var packets int
	go func() {
		for !stop.Load() {
			action, err := bench.program.Run(frame)
			if err == nil && action != 2 {
				err = fmt.Errorf("dropped packet number %d", packets)
			}
			if err != nil {
				judged <- err
				return
			}
			packets++
		}
		judged <- nil
	}()
	strict := []*Rule{
		rule("deny", "198.51.100.0/24", xdp.ActionDeny),
		rule("allow", "198.51.100.7/32", xdp.ActionAllow, on(17, PortRange{First: 2000, Last: 2000})),
	}
	for number := uint64(2); number < 80; number++ {
		change := &Change{Number: number}
		if number%2 == 0 {
			change.Policy.Drop, change.Upserts = true, strict
		}
		_, err := bench.guard.Apply(change)
		must(t, err)
	}
	stop.Store(true)
	must(t, <-judged)
	if packets < 1000 {
		t.Errorf("only %d packets were judged", packets)
	}
}

// faulty tables fail at one call.
type faulty struct {
	Tables
	calls, failAt int
}

var errFaulty = errors.New("no space")

func (f *faulty) fails() bool {
	f.calls++
	return f.calls == f.failAt
}

func (f *faulty) WritePrefixes(prefixes []netip.Prefix, entries []xdp.PrefixEntry) (int, error) {
	if f.fails() {
		half := len(prefixes) / 2
		written, _ := f.Tables.WritePrefixes(prefixes[:half], entries[:half])
		return written, errFaulty
	}
	return f.Tables.WritePrefixes(prefixes, entries)
}

func (f *faulty) WriteCondition(index uint32, condition xdp.Condition) error {
	if f.fails() {
		return errFaulty
	}
	return f.Tables.WriteCondition(index, condition)
}

func (f *faulty) WriteChain(index uint32, chain xdp.Chain) error {
	if f.fails() {
		return errFaulty
	}
	return f.Tables.WriteChain(index, chain)
}

func (f *faulty) WritePolicy(generation uint32, policy xdp.Policy) error {
	if f.fails() {
		return errFaulty
	}
	return f.Tables.WritePolicy(generation, policy)
}

// TestFailedRevisionChangesNothing lets every single write fail once, and goes on with another revision afterwards.
func TestFailedRevisionChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	failures := 0
	for failAt := 1; ; failAt++ {
		bench := newBench(t, Policy{}, standardRules()...)
		broken := &faulty{Tables: bench.guard.installer.tables, failAt: failAt}
		bench.guard.installer.tables = broken
		next := append(standardRules()[3:],
			rule("new", "203.0.113.9/32", xdp.ActionAllow), rule("new6", "2001:db8:bad::9/128", xdp.ActionAllow, on(17)))
		_, err := bench.guard.Apply(&Change{Number: 2, Policy: Policy{Drop: true}, Upserts: next})
		if err == nil {
			break // there are fewer writes than that
		}
		failures++
		if grpcstatus.Code(err) != codes.Internal {
			t.Fatalf("error %v", err)
		}
		for range 200 {
			bench.run(t, mutate(random, verdictCases[random.IntN(len(verdictCases))].frame))
		}
		bench.check(t)
		other := append(standardRules(), rule("other", "100.64.0.0/10", xdp.ActionDeny))
		_, err = bench.guard.Apply(&Change{Number: 2, Upserts: other})
		must(t, err)
		bench.follow(other, Policy{})
		for range 200 {
			bench.run(t, mutate(random, verdictCases[random.IntN(len(verdictCases))].frame))
		}
		must(t, bench.program.Close())
	}
	if failures < 5 {
		t.Errorf("only %d writes could fail", failures)
	}
}

// undone switches once, lets a packet see the revision, and then goes back and fails.
type undone struct {
	Tables
	judge func()
	fails bool
}

func (u *undone) Switch(generation uint32) error {
	if err := u.Tables.Switch(generation); err != nil || !u.fails {
		return err
	}
	u.judge()
	u.fails = false
	return errors.Join(errFaulty, u.Tables.Switch(generation-1))
}

// TestNothingIsRememberedOfAFailedRevision has a packet see a revision whose switch then fails.
func TestNothingIsRememberedOfAFailedRevision(t *testing.T) {
	bench := newBench(t, Policy{})
	frame := udp4(enemy, 1000, 2000)
	actions := func() uint32 {
		action, err := bench.program.Run(frame)
		must(t, err)
		return action
	}
	var seen uint32
	bench.guard.installer.tables = &undone{Tables: bench.guard.installer.tables, fails: true, judge: func() { seen = actions() }}
	_, err := bench.guard.Apply(&Change{Number: 2, Upserts: []*Rule{rule("deny", "203.0.113.0/24", xdp.ActionDeny)}})
	if grpcstatus.Code(err) != codes.Internal || seen != 1 {
		t.Fatalf("error %v, action %d while the revision was in force", err, seen)
	}
	if got := actions(); got != 2 {
		t.Errorf("action %d after the switch failed", got)
	}
	_, err = bench.guard.Apply(&Change{Number: 2, Upserts: []*Rule{rule("other", "100.64.0.0/10", xdp.ActionDeny)}})
	must(t, err)
	if got := actions(); got != 2 {
		t.Errorf("action %d under the next revision", got)
	}
}

func TestRulesEnd(t *testing.T) {
	end := time.Now().Add(time.Hour)
	ending := rule("ending", "203.0.113.0/24", xdp.ActionDeny, func(rule *Rule) { rule.ExpiresAt = end })
	bench := newBench(t, Policy{}, ending)
	if got := bench.run(t, udp4(enemy, 1, 2)); got != xdp.DropDenied {
		t.Fatalf("%s before the end", got)
	}
	if wait := bench.guard.untilNextEnd(); wait < 59*time.Minute || wait > time.Hour {
		t.Errorf("waits %s", wait)
	}
	bench.guard.now = func() time.Time { return end }
	bench.guard.expire()
	bench.follow(nil, Policy{})
	if got := bench.run(t, udp4(enemy, 1, 2)); got != xdp.PassDefault {
		t.Fatalf("%s after the end", got)
	}
	if revision, inForce := bench.guard.Current(); revision.Number != 1 || len(inForce) != 0 {
		t.Errorf("revision %d with %d rules", revision.Number, len(inForce))
	}
}

func TestRestartRestoresTheRevision(t *testing.T) {
	store := NewStore(filepath.Join(t.TempDir(), "revision"))
	ended := rule("ended", "192.0.2.0/24", xdp.ActionDeny, func(rule *Rule) { rule.ExpiresAt = time.Unix(1, 0) })
	rules := append(standardRules(), ended)
	first := New(nil, store)
	_, err := first.Apply(&Change{Number: 7, Policy: Policy{Drop: true}, Upserts: rules})
	must(t, err)
	second := New(nil, store)
	must(t, second.Restore())
	want, _ := first.Current()
	got, inForce := second.Current()
	if got.Number != 7 || !got.same(want) || len(inForce) != len(rules)-1 {
		t.Errorf("revision %d with %d rules, %d in force", got.Number, len(got.Rules), len(inForce))
	}
	if _, err := second.Apply(&Change{Number: 6}); grpcstatus.Code(err) != codes.FailedPrecondition {
		t.Errorf("an older revision: %v", err)
	}
}

func TestBadRevisionsAreRefusedAndChangeNothing(t *testing.T) {
	deny := func(id, prefix string, change ...func(*Rule)) *Rule {
		return rule(id, prefix, xdp.ActionDeny, change...)
	}
	full := func(number uint64, rules ...*Rule) *Change { return &Change{Number: number, Upserts: rules} }
	var crowd []*Rule
	for i := range 17 {
		port := PortRange{First: uint16(i + 1), Last: uint16(i + 1)}
		crowd = append(crowd, deny(fmt.Sprint("crowd-", i), "10.0.0.0/8", on(6, port)))
	}
	tests := []struct {
		name   string
		change *Change
		code   codes.Code
		text   string
	}{
		{"no number", full(0), codes.InvalidArgument, "the revision's number must be greater than 0"},
		{"older", full(4), codes.FailedPrecondition, "revision 4 is older than 5, which is in force"},
		{"same with other rules", full(5), codes.FailedPrecondition, "revision 5 is in force with other rules: send a greater number"},
		{"other base", &Change{Number: 6, Base: 4}, codes.FailedPrecondition, "the change is based on revision 4, but 5 is in force: send all rules"},
		{"not newer than its base", &Change{Number: 5, Base: 5}, codes.FailedPrecondition, "revision 5 is not newer than 5, which is in force"},
		{"removal without base", &Change{Number: 6, Removed: []string{"a"}}, codes.InvalidArgument, "removed_ids need a base_revision"},
		{"two of one id", full(6, deny("a", "10.0.0.0/8"), deny("a", "11.0.0.0/8")), codes.InvalidArgument, `two rules have the id "a"`},
		{"id", full(6, deny("a b", "10.0.0.0/8")), codes.InvalidArgument, `rule "a b": its id must be`},
		{"ports without protocol", full(6, deny("a", "10.0.0.0/8", on(0, PortRange{First: 1, Last: 1}))), codes.InvalidArgument, `rule "a": ports need protocol 6`},
		{"limit of a deny rule", full(6, deny("a", "10.0.0.0/8", limited(RateLimit{PacketsPerSecond: 1}))), codes.InvalidArgument, "only a rate rule has a limit"},
		{"rate without limit", full(6, rule("a", "10.0.0.0/8", xdp.ActionRate)), codes.InvalidArgument, "a rate rule needs packets_per_second"},
		{"burst below a tick", full(6, rule("a", "10.0.0.0/8", xdp.ActionRate, limited(RateLimit{PacketsPerSecond: 1000, PacketsBurst: 9}))),
			codes.InvalidArgument, "packets_burst must be at least a hundredth of packets_per_second"},
		{"rate too high", &Change{Number: 6, Policy: Policy{SourceLimit: RateLimit{SynsPerSecond: maxRate + 1}}}, codes.InvalidArgument, "syns_per_second is above"},
		{"contradiction", full(6, deny("a", "10.0.0.0/8"), rule("b", "10.0.0.0/8", xdp.ActionAllow)), codes.InvalidArgument, `rules "b" and "a" contradict each other`},
		{"too many for one prefix", full(6, crowd...), codes.ResourceExhausted, "more than 16 rules apply to 10.0.0.0/8"},
	}
	guard := New(nil, nil)
	before := deny("before", "10.0.0.0/8")
	_, err := guard.Apply(full(5, before))
	must(t, err)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := guard.Apply(test.change)
			if status := grpcstatus.Convert(err); status.Code() != test.code || !strings.Contains(status.Message(), test.text) {
				t.Errorf("error %v, want %s with %q", err, test.code, test.text)
			}
			if revision, inForce := guard.Current(); revision.Number != 5 || len(inForce) != 1 || inForce[0] != before {
				t.Errorf("revision %d with %d rules", revision.Number, len(inForce))
			}
		})
	}
	if _, err := guard.Apply(full(5, deny("before", "10.0.0.0/8"))); err != nil {
		t.Errorf("the same revision again: %v", err)
	}
	if _, err := guard.Apply(&Change{Number: 1, Force: true}); err != nil {
		t.Errorf("an older revision by force: %v", err)
	}
}

func TestShadowedRulesAreNamed(t *testing.T) {
	result, err := New(nil, nil).Apply(&Change{Number: 1, Upserts: []*Rule{
		rule("allow", "10.0.0.0/8", xdp.ActionAllow), rule("deny", "10.1.0.0/16", xdp.ActionDeny),
		rule("seen", "11.0.0.0/8", xdp.ActionDeny),
	}})
	must(t, err)
	if len(result.Shadowed) != 1 || result.Shadowed[0] != "deny" {
		t.Errorf("shadowed %v", result.Shadowed)
	}
}
