package guard

import (
	"net/netip"
	"slices"

	"triptych.dev/go-backend/internal/xdp"
)

// changes are what must be written before a switch, and deleted after it.
type changes struct {
	prefixes []netip.Prefix
	entries  []xdp.PrefixEntry
	added    []bool // the prefix has no entry yet
	removed  []entry
}

// around follows the prefixes that enclose the present one, while prefixes are visited in order.
type around struct {
	stack []entry
}

func (a *around) push(visited entry) {
	a.leave(visited.prefix)
	a.stack = append(a.stack, visited)
}

func (a *around) leave(prefix netip.Prefix) {
	for len(a.stack) > 0 && !covers(a.stack[len(a.stack)-1].prefix, prefix) {
		a.stack = a.stack[:len(a.stack)-1]
	}
}

// at is what the longest visited prefix around this one says.
func (a *around) at(prefix netip.Prefix) xdp.Reference {
	a.leave(prefix)
	if len(a.stack) == 0 {
		return xdp.NoReference
	}
	return a.stack[len(a.stack)-1].now
}

// compare walks old and new entries, both in order, and finds the difference. A new entry says until the switch what
// its surroundings say now; an old one says from the switch what its surroundings will say, and can go afterwards.
func compare(old, wanted []entry, next uint32) *changes {
	result := &changes{}
	var oldAround, newAround around
	for len(old) > 0 || len(wanted) > 0 {
		order := 0
		switch {
		case len(wanted) == 0:
			order = -1
		case len(old) == 0:
			order = 1
		default:
			order = comparePrefixes(old[0].prefix, wanted[0].prefix)
		}
		switch {
		case order < 0:
			prefix := old[0].prefix
			result.write(prefix, next, old[0].now, newAround.at(prefix), false)
			result.removed = append(result.removed, entry{prefix: prefix, now: newAround.at(prefix)})
		case order > 0:
			prefix := wanted[0].prefix
			result.write(prefix, next, oldAround.at(prefix), wanted[0].now, true)
		case old[0].now != wanted[0].now:
			result.write(old[0].prefix, next, old[0].now, wanted[0].now, false)
		}
		if order <= 0 {
			oldAround.push(old[0])
			old = old[1:]
		}
		if order >= 0 {
			newAround.push(wanted[0])
			wanted = wanted[1:]
		}
	}
	return result
}

func (c *changes) write(prefix netip.Prefix, next uint32, before, after xdp.Reference, added bool) {
	c.prefixes = append(c.prefixes, prefix)
	c.entries = append(c.entries, xdp.PrefixEntry{Since: next, Before: uint32(before), After: uint32(after)})
	c.added = append(c.added, added)
}

func mergeEntries(a, b []entry) []entry {
	merged := slices.Concat(a, b)
	slices.SortFunc(merged, func(x, y entry) int { return comparePrefixes(x.prefix, y.prefix) })
	return merged
}
