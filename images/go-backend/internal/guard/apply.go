package guard

import (
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"triptych.dev/go-backend/internal/xdp"
)

// Tables are the rules in the kernel; xdp.Tables.
type Tables interface {
	WritePrefixes(prefixes []netip.Prefix, entries []xdp.PrefixEntry) (int, error)
	DeletePrefixes(prefixes []netip.Prefix) (int, error)
	WriteCondition(index uint32, condition xdp.Condition) error
	WriteChain(index uint32, chain xdp.Chain) error
	WritePolicy(generation uint32, policy xdp.Policy) error
	WritePrefilter(generation uint32, references iter.Seq2[netip.Prefix, xdp.Reference]) error
	Switch(generation uint32) error
	PrepareRuleCounter(counter uint32) error
	ClearRuleCounter(counter uint32) error
	RuleCounter(counter uint32) (xdp.RuleCounter, error)
}

// entry is what the kernel says, or shall say, about a prefix.
type entry struct {
	prefix netip.Prefix
	now    xdp.Reference
}

// installer knows what is in the kernel and changes it by difference, one generation at a time.
type installer struct {
	tables     Tables
	slots      *slots
	entries    []entry // in order
	generation uint32
	failures   uint32 // since it came into force
}

func newInstaller(tables Tables) *installer {
	return &installer{tables: tables, slots: newSlots()}
}

// install makes rules and policy the current ones, all at the same moment. On an error everything is as before.
//
// Returns how many entries were written or deleted.
func (i *installer) install(nodes []resolved, rules []*Rule, policy xdp.Policy) (int, error) {
	plan, err := i.slots.plan(rules)
	if err != nil {
		return 0, err
	}
	wanted, err := i.entriesOf(plan, nodes)
	if err != nil {
		i.slots.abandon(plan)
		return 0, err
	}
	// No number twice: packets remember what one said, if only for a moment. Two further, because policies take turns.
	next := i.generation + 1 + 2*i.failures
	changes := compare(i.entries, wanted, next)
	if err := i.write(plan, wanted, changes, policy, next); err != nil {
		i.failures++
		i.slots.abandon(plan)
		return 0, failed(err)
	}
	i.generation, i.failures = next, 0
	left, err := i.delete(changes.removed)
	i.entries = wanted
	if err != nil {
		// They say what the prefixes around them do, and are tried again with the next revision.
		i.entries = mergeEntries(wanted, left)
		err = fmt.Errorf("the revision is in force, but old entries remain: %w", err)
	}
	i.slots.commit(plan)
	return len(changes.prefixes) + len(changes.removed), err
}

func (i *installer) entriesOf(plan *plan, nodes []resolved) ([]entry, error) {
	entries := make([]entry, len(nodes))
	for n, node := range nodes {
		reference, err := i.slots.reference(plan, node)
		if err != nil {
			return nil, err
		}
		entries[n] = entry{prefix: node.prefix, now: reference}
	}
	return entries, nil
}

// write prepares everything and switches; on an error it takes back what packets could see after a later switch.
func (i *installer) write(plan *plan, wanted []entry, changes *changes, policy xdp.Policy, next uint32) error {
	if err := i.writeRules(plan); err != nil {
		return err
	}
	if err := i.tables.WritePolicy(next, policy); err != nil {
		return err
	}
	if err := i.tables.WritePrefilter(next, references(wanted)); err != nil {
		return err
	}
	written, err := writeByFamily(changes.prefixes, changes.entries, i.tables.WritePrefixes)
	if err == nil {
		err = i.tables.Switch(next)
	}
	if err != nil {
		return errors.Join(err, i.takeBack(changes, written))
	}
	return nil
}

func references(entries []entry) iter.Seq2[netip.Prefix, xdp.Reference] {
	return func(yield func(netip.Prefix, xdp.Reference) bool) {
		for _, each := range entries {
			if !yield(each.prefix, each.now) {
				return
			}
		}
	}
}

func (i *installer) writeRules(plan *plan) error {
	for _, placed := range plan.newRules {
		prepare := i.tables.PrepareRuleCounter
		if plan.dirty[placed.counter] {
			prepare = i.tables.ClearRuleCounter
		}
		if err := prepare(placed.counter); err != nil {
			return err
		}
		if placed.condition < 0 {
			continue
		}
		if err := i.tables.WriteCondition(uint32(placed.condition), kernelCondition(placed)); err != nil {
			return err
		}
	}
	for _, chain := range plan.chains {
		if err := i.tables.WriteChain(plan.byChain[chain], chain); err != nil {
			return err
		}
	}
	return nil
}

func kernelCondition(placed slot) xdp.Condition {
	effect := placed.effect
	condition := xdp.Condition{
		Limit: effect.Limit.kernel(), Counter: placed.counter, Action: effect.Action, Protocol: effect.Protocol,
	}
	if effect.Ports != noPorts {
		condition.HasPorts = 1
	}
	if effect.CountOnly {
		condition.CountOnly = 1
	}
	for i, ports := range effect.Ports {
		condition.Ports[i].First, condition.Ports[i].Last = ports.First, ports.Last
	}
	return condition
}

// takeBack undoes the first entries of a change that was not switched to.
func (i *installer) takeBack(changes *changes, written int) error {
	var failures error
	for n, prefix := range changes.prefixes[:written] {
		before := changes.entries[n]
		before.Since, before.After = 0, before.Before
		var err error
		if changes.added[n] {
			_, err = i.tables.DeletePrefixes([]netip.Prefix{prefix})
		} else {
			_, err = i.tables.WritePrefixes([]netip.Prefix{prefix}, []xdp.PrefixEntry{before})
		}
		failures = errors.Join(failures, err)
	}
	return failures
}

// delete removes entries that mean nothing any more. Returns those that are left.
func (i *installer) delete(removed []entry) ([]entry, error) {
	prefixes := make([]netip.Prefix, len(removed))
	for n, gone := range removed {
		prefixes[n] = gone.prefix
	}
	deleted, err := writeByFamily(prefixes, make([]xdp.PrefixEntry, len(prefixes)),
		func(part []netip.Prefix, _ []xdp.PrefixEntry) (int, error) { return i.tables.DeletePrefixes(part) })
	return removed[deleted:], err
}

// writeByFamily calls for the IPv4 prefixes, which come first, and for the IPv6 prefixes.
func writeByFamily(prefixes []netip.Prefix, entries []xdp.PrefixEntry,
	write func([]netip.Prefix, []xdp.PrefixEntry) (int, error),
) (int, error) {
	first := slices.IndexFunc(prefixes, func(prefix netip.Prefix) bool { return prefix.Addr().Is6() })
	if first < 0 {
		first = len(prefixes)
	}
	written := 0
	for _, bounds := range [][2]int{{0, first}, {first, len(prefixes)}} {
		if bounds[0] == bounds[1] {
			continue
		}
		count, err := write(prefixes[bounds[0]:bounds[1]], entries[bounds[0]:bounds[1]])
		written += count
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
