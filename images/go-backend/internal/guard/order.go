package guard

import (
	"slices"
	"strings"
	"time"
)

// orders are the rules of a revision in the two orders that are needed. A change sorts what it brings and merges that:
// sorting a million rules anew takes longer than all the rest of applying a few.
type orders struct {
	byID     []*Rule
	byPrefix []*Rule // as resolve takes them
}

// changed are the orders after a change; the old ones stay as they are.
func (o orders) changed(removed []string, upserts []*Rule) orders {
	gone := make(map[string]bool, len(removed)+len(upserts))
	for _, id := range removed {
		gone[id] = true
	}
	for _, rule := range upserts {
		gone[rule.ID] = true
	}
	return orders{
		byID:     mergeRules(o.byID, gone, upserts, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) }),
		byPrefix: mergeRules(o.byPrefix, gone, upserts, compareForResolve),
	}
}

// mergeRules are the old rules, which are in order, without those that are gone, and the added ones.
func mergeRules(old []*Rule, gone map[string]bool, added []*Rule, compare func(a, b *Rule) int) []*Rule {
	added = slices.SortedFunc(slices.Values(added), compare)
	merged := make([]*Rule, 0, len(old)+len(added))
	for _, rule := range old {
		if gone[rule.ID] {
			continue
		}
		for len(added) > 0 && compare(added[0], rule) < 0 {
			merged, added = append(merged, added[0]), added[1:]
		}
		merged = append(merged, rule)
	}
	return append(merged, added...)
}

// unexpired are the rules that hold at a moment, in the same order.
func unexpired(rules []*Rule, now time.Time) []*Rule {
	ended := func(rule *Rule) bool { return rule.expired(now) }
	if !slices.ContainsFunc(rules, ended) {
		return rules
	}
	return slices.DeleteFunc(slices.Clone(rules), ended)
}
