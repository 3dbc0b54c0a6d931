package guard

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	grpcstatus "google.golang.org/grpc/status"

	"triptych.dev/go-backend/internal/xdp"
)

// Policy is what happens to packets that no rule decides about.
type Policy struct {
	Drop        bool
	SourceLimit RateLimit
}

// Revision is a set of rules with their policy; immutable.
type Revision struct {
	Number    uint64 // 0: none was applied
	Policy    Policy
	Rules     map[string]*Rule
	AppliedAt time.Time
	orders    orders
}

// Change is a revision to apply, or the difference to one.
type Change struct {
	Number  uint64
	Base    uint64 // 0: Upserts are all rules
	Force   bool
	Policy  Policy
	Upserts []*Rule
	Removed []string
}

// Result tells what applying did.
type Result struct {
	Revision *Revision
	Expired  int
	Shadowed []string
	Changed  int // entries in the kernel
	Duration time.Duration
}

// Guard keeps the current revision and makes the kernel follow it. Safe for concurrent use.
type Guard struct {
	store     *Store
	installer *installer // nil: there is no program, rules are only kept
	now       func() time.Time

	applying sync.Mutex // one change at a time
	mutex    sync.Mutex // guards what follows; never held during a change
	revision *Revision
	inForce  []*Rule // not expired, in the order of their ids
	byNumber map[uint32]string
	prefixes [2]int        // IPv4, IPv6
	changed  chan struct{} // a rule may end earlier than it did
}

// New makes a guard that writes to tables, nil where there is no program, and keeps revisions in a store, nil for none.
func New(tables Tables, store *Store) *Guard {
	guard := &Guard{
		store: store, now: time.Now, revision: &Revision{Rules: map[string]*Rule{}},
		byNumber: map[uint32]string{}, changed: make(chan struct{}, 1),
	}
	if tables != nil {
		guard.installer = newInstaller(tables)
	}
	return guard
}

// Restore applies the stored revision, before the program is attached. A store that cannot be read is no reason not to
// start: the caller logs the error, and the next revision that is pushed replaces it.
func (g *Guard) Restore() error {
	if g.store == nil {
		return nil
	}
	change, err := g.store.load()
	if err != nil || change == nil {
		return err
	}
	_, err = g.apply(change, false)
	return err
}

// Apply makes a change the current revision, or returns a gRPC status and leaves everything as it was.
func (g *Guard) Apply(change *Change) (*Result, error) {
	return g.apply(change, true)
}

func (g *Guard) apply(change *Change, keep bool) (*Result, error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	started := g.now()
	current, _ := g.Current()
	next, err := successor(current, change)
	if err != nil {
		return nil, err
	}
	next.AppliedAt = started
	if change.Number == current.Number && !change.Force {
		return g.repeated(current, next)
	}
	result, err := g.enforce(next)
	if err != nil {
		return nil, err
	}
	result.Duration = g.now().Sub(started)
	if keep && g.store != nil {
		if err := g.store.save(next); err != nil {
			slog.Error("the revision is in force, but a restart will not find it", "error", err)
		}
	}
	slog.Info("revision applied", "revision", next.Number, "rules", len(next.Rules)-result.Expired,
		"changed_entries", result.Changed, "duration", result.Duration)
	return result, nil
}

// successor is the revision that a change leads to.
func successor(current *Revision, change *Change) (*Revision, error) {
	switch {
	case change.Number == 0:
		return nil, invalid("the revision's number must be greater than 0")
	case change.Base != 0 && change.Base != current.Number:
		return nil, refused("the change is based on revision %d, but %d is in force: send all rules", change.Base, current.Number)
	case change.Base != 0 && change.Number <= current.Number:
		return nil, refused("revision %d is not newer than %d, which is in force", change.Number, current.Number)
	case change.Number < current.Number && !change.Force:
		return nil, refused("revision %d is older than %d, which is in force", change.Number, current.Number)
	}
	if err := change.Policy.SourceLimit.check(); err != nil {
		return nil, invalid("the policy's source_limit: %v", err)
	}
	next := &Revision{Number: change.Number, Policy: change.Policy}
	if change.Base == 0 {
		if len(change.Removed) > 0 {
			return nil, invalid("removed_ids need a base_revision")
		}
		next.Rules = make(map[string]*Rule, len(change.Upserts))
		next.orders = orders{}.changed(nil, change.Upserts)
		return next, next.add(change.Upserts)
	}
	next.Rules = maps.Clone(current.Rules)
	for _, id := range change.Removed {
		delete(next.Rules, id)
	}
	next.orders = current.orders.changed(change.Removed, change.Upserts)
	return next, next.add(change.Upserts)
}

func (r *Revision) add(rules []*Rule) error {
	seen := make(map[string]bool, len(rules))
	for _, rule := range rules {
		if err := rule.check(); err != nil {
			return invalid("rule %q: %v", rule.ID, err)
		}
		if seen[rule.ID] {
			return invalid("two rules have the id %q", rule.ID)
		}
		seen[rule.ID] = true
		r.Rules[rule.ID] = rule
	}
	if len(r.Rules) > xdp.MaxRules {
		return exhausted("the revision has %d rules, at most %d fit", len(r.Rules), xdp.MaxRules)
	}
	return nil
}

// repeated answers a revision that is in force already: a client that lost the answer may ask again.
func (g *Guard) repeated(current, next *Revision) (*Result, error) {
	if !current.same(next) {
		return nil, refused("revision %d is in force with other rules: send a greater number", next.Number)
	}
	_, inForce := g.Current()
	return &Result{Revision: current, Expired: len(current.Rules) - len(inForce)}, nil
}

func (r *Revision) same(other *Revision) bool {
	if r.Policy != other.Policy || len(r.Rules) != len(other.Rules) {
		return false
	}
	for id, rule := range r.Rules {
		if twin, ok := other.Rules[id]; !ok || !rule.same(twin) {
			return false
		}
	}
	return true
}

func (r *Rule) same(other *Rule) bool {
	return r.Effect == other.Effect && r.Owner == other.Owner && r.Comment == other.Comment &&
		r.ExpiresAt.Equal(other.ExpiresAt)
}

// enforce makes a revision's rules, but for those that have ended, the kernel's.
func (g *Guard) enforce(next *Revision) (*Result, error) {
	now := g.now()
	inForce := unexpired(next.orders.byID, now)
	nodes, shadowed, err := resolve(unexpired(next.orders.byPrefix, now))
	if err != nil {
		return nil, err
	}
	result := &Result{Revision: next, Expired: len(next.Rules) - len(inForce), Shadowed: shadowed}
	if g.installer != nil {
		result.Changed, err = g.installer.install(nodes, inForce, next.Policy.kernel())
		if _, refused := grpcstatus.FromError(err); err != nil && refused {
			return nil, err
		}
		if err != nil {
			slog.Error("guard", "error", err)
		}
	}
	g.publish(next, inForce, nodes)
	return result, nil
}

func (p Policy) kernel() xdp.Policy {
	policy := xdp.Policy{SourceLimit: p.SourceLimit.kernel(), Enforcing: 1}
	if p.Drop {
		policy.DropByDefault = 1
	}
	return policy
}

func (g *Guard) publish(next *Revision, inForce []*Rule, nodes []resolved) {
	byNumber := map[uint32]string{}
	if g.installer != nil {
		for id, placed := range g.installer.slots.rules {
			byNumber[placed.counter] = id
		}
	}
	var prefixes [2]int
	for _, node := range nodes {
		if node.prefix.Addr().Is4() {
			prefixes[0]++
		} else {
			prefixes[1]++
		}
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.revision, g.inForce, g.byNumber, g.prefixes = next, inForce, byNumber, prefixes
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// Current is the revision and its rules that have not ended, in the order of their ids. Not to be changed.
func (g *Guard) Current() (*Revision, []*Rule) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.revision, g.inForce
}

// Prefixes counts the prefixes in force.
func (g *Guard) Prefixes() (ipv4, ipv6 int) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.prefixes[0], g.prefixes[1]
}

// RuleID is the id of the rule with a counter; empty for a rule that is gone.
func (g *Guard) RuleID(counter uint32) string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.byNumber[counter]
}

// Counters reads what matched rules in force; zero for a rule that is gone, or where there is no program.
func (g *Guard) Counters(rules []*Rule) ([]xdp.RuleCounter, error) {
	counters := make([]xdp.RuleCounter, len(rules))
	if g.installer == nil {
		return counters, nil
	}
	g.applying.Lock()
	defer g.applying.Unlock()
	for i, rule := range rules {
		placed, ok := g.installer.slots.rules[rule.ID]
		if !ok || placed.effect != rule.Effect {
			continue
		}
		var err error
		if counters[i], err = g.installer.tables.RuleCounter(placed.counter); err != nil {
			return nil, err
		}
	}
	return counters, nil
}

// Run ends rules when their time has come, until the context ends.
func (g *Guard) Run(ctx context.Context) error {
	for {
		timer := time.NewTimer(g.untilNextEnd())
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-g.changed:
			timer.Stop()
		case <-timer.C:
			g.expire()
		}
	}
}

const longest = time.Hour

func (g *Guard) untilNextEnd() time.Duration {
	_, inForce := g.Current()
	wait := longest
	for _, rule := range inForce {
		if !rule.ExpiresAt.IsZero() {
			wait = min(wait, rule.ExpiresAt.Sub(g.now()))
		}
	}
	return max(wait, 0)
}

func (g *Guard) expire() {
	g.applying.Lock()
	defer g.applying.Unlock()
	current, before := g.Current()
	result, err := g.enforce(current)
	if err != nil {
		slog.Error("rules that have ended are still in force", "error", errors.Unwrap(err))
		return
	}
	if ended := len(before) - (len(current.Rules) - result.Expired); ended > 0 {
		slog.Info("rules ended", "revision", current.Number, "rules", ended)
	}
}
