package guard

import (
	"cmp"
	"net/netip"
	"slices"

	"triptych.dev/go-backend/internal/xdp"
)

// MaxPrefixes is how many prefixes, IPv4 and IPv6 together, a revision may have.
const MaxPrefixes = 1_000_000

// resolved is what can apply to sources in a prefix and in no longer one, first to last.
type resolved struct {
	prefix netip.Prefix
	rules  []*Rule
}

// resolve works precedence out for every prefix that a rule names: its own rules and those of all prefixes around it,
// in order, up to the first that always decides. So the kernel needs one look-up, of the longest prefix. The rules are
// in the order of compareForResolve.
//
// Returns the prefixes in order and the ids of at most maxShadowed rules that never decide.
func resolve(byPrefix []*Rule) ([]resolved, []string, error) {
	var result, around []resolved
	var shadowed []string
	for start := 0; start < len(byPrefix); {
		prefix := byPrefix[start].Prefix
		end := start
		for end < len(byPrefix) && byPrefix[end].Prefix == prefix {
			end++
		}
		own := byPrefix[start:end]
		start = end
		if err := contradiction(own); err != nil {
			return nil, nil, err
		}
		around = enclosing(around, prefix)
		node := resolved{prefix: prefix, rules: merge(own, around)}
		if len(node.rules) > xdp.ChainLength {
			return nil, nil, exhausted("more than %d rules apply to %s, %q among them", xdp.ChainLength, prefix, own[0].ID)
		}
		shadowed = appendShadowed(shadowed, own, node.rules)
		result = append(result, node)
		around = append(around, node)
	}
	if len(result) > MaxPrefixes {
		return nil, nil, exhausted("the revision has %d prefixes, at most %d fit", len(result), MaxPrefixes)
	}
	return result, shadowed, nil
}

// compareForResolve puts the rules of one prefix together, and every prefix right before those inside it.
func compareForResolve(a, b *Rule) int {
	if order := comparePrefixes(a.Prefix, b.Prefix); order != 0 {
		return order // nearly always: what cmp.Or would evaluate beside it costs more than all the sorting
	}
	return compareRules(a, b)
}

// compareRules orders the rules that apply to one source.
func compareRules(a, b *Rule) int {
	return cmp.Or(
		cmp.Compare(a.Action, b.Action), // allow, deny, rate
		cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()),
		cmp.Compare(detail(b), detail(a)),
		cmp.Compare(a.ID, b.ID),
	)
}

// detail is greater for a rule that says more.
func detail(rule *Rule) int {
	switch {
	case rule.Ports != noPorts:
		return 2
	case rule.Protocol != 0:
		return 1
	}
	return 0
}

// enclosing drops the prefixes that a new one, later in order, is not inside of.
func enclosing(stack []resolved, prefix netip.Prefix) []resolved {
	for len(stack) > 0 && !covers(stack[len(stack)-1].prefix, prefix) {
		stack = stack[:len(stack)-1]
	}
	return stack
}

// merge is a prefix's own rules and those around it, in order, cut behind the first that always decides.
func merge(own []*Rule, around []resolved) []*Rule {
	rules := own
	if len(around) > 0 {
		rules = slices.Concat(own, around[len(around)-1].rules)
		slices.SortStableFunc(rules, compareRules)
	}
	if last := slices.IndexFunc(rules, func(rule *Rule) bool { return rule.final() }); last >= 0 {
		rules = rules[:last+1]
	}
	return rules
}

const maxShadowed = 100

func appendShadowed(shadowed []string, own, kept []*Rule) []string {
	for _, rule := range own {
		if len(shadowed) < maxShadowed && !slices.Contains(kept, rule) {
			shadowed = append(shadowed, rule.ID)
		}
	}
	return shadowed
}

// contradiction finds two rules of one prefix that say different things about the same packets.
func contradiction(rules []*Rule) error {
	if len(rules) == 1 {
		return nil
	}
	first := map[Match]*Rule{}
	for _, rule := range rules {
		if rule.CountOnly {
			continue
		}
		other := first[rule.Match]
		if other == nil {
			first[rule.Match] = rule
			continue
		}
		if other.Action != rule.Action || other.Limit != rule.Limit {
			return invalid("rules %q and %q contradict each other: the same packets from %s, different actions or limits",
				other.ID, rule.ID, rule.Prefix)
		}
	}
	return nil
}
