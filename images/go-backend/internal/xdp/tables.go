package xdp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
)

// Sizes of the tables, as in bpf/rules.h.
const (
	MaxRules      = 1 << 20
	MaxConditions = 1 << 16
	MaxChains     = 1 << 14
	ChainLength   = 16
	PortRanges    = 8

	counterChunk = 1 << 14
	batchEntries = 4096
)

// Rule actions, as in bpf/rules.h.
const (
	ActionAllow = uint8(guardRuleActionACTION_ALLOW)
	ActionDeny  = uint8(guardRuleActionACTION_DENY)
	ActionRate  = uint8(guardRuleActionACTION_RATE)
)

// The kernel's own types; bpf/rules.h describes them.
type (
	Condition = guardCondition
	Chain     = guardChain
	Limit     = guardLimit
	Policy    = guardPolicy
	// PrefixEntry says what applies to sources in a prefix: Before until the generation Since, After from then on.
	PrefixEntry = guardPrefixEntry
	// RuleCounter is what matched a rule.
	RuleCounter = guardRuleCounter
)

// Reference names what applies to a source.
type Reference uint32

// NoReference applies nothing.
const NoReference = Reference(0)

func reference(kind guardReferenceKind, index uint32) Reference {
	return Reference(uint32(kind)<<28 | index)
}

// DenyReference drops and counts, with the number of the rule's counter.
func DenyReference(counter uint32) Reference {
	return reference(guardReferenceKindREFERENCE_DENY, counter)
}

// AllowReference passes and counts, with the number of the rule's counter.
func AllowReference(counter uint32) Reference {
	return reference(guardReferenceKindREFERENCE_ALLOW, counter)
}

// ConditionReference tries one condition.
func ConditionReference(index uint32) Reference {
	return reference(guardReferenceKindREFERENCE_CONDITION, index)
}

// ChainReference tries the conditions of a chain.
func ChainReference(index uint32) Reference {
	return reference(guardReferenceKindREFERENCE_CHAIN, index)
}

// Tables are the rules in the kernel. Not safe for concurrent writes.
type Tables struct {
	objects *guardObjects
	chunks  map[uint32]*ebpf.Map
}

// Tables gives access to the program's rules.
func (p *Program) Tables() *Tables {
	return &Tables{objects: &p.objects, chunks: map[uint32]*ebpf.Map{}}
}

// WritePrefixes writes entries, all for IPv4 or all for IPv6.
//
// Returns how many were written, from the first, beside the error that ended it.
func (t *Tables) WritePrefixes(prefixes []netip.Prefix, entries []PrefixEntry) (int, error) {
	written := 0
	for written < len(prefixes) {
		end := min(written+batchEntries, len(prefixes))
		table, keys := t.keys(prefixes[written:end])
		count, err := table.BatchUpdate(keys, entries[written:end], nil)
		written += count
		if err != nil {
			return written, fmt.Errorf("write %s: %w", prefixes[min(written, len(prefixes)-1)], err)
		}
	}
	return written, nil
}

// DeletePrefixes deletes entries, all for IPv4 or all for IPv6. Returns as WritePrefixes.
func (t *Tables) DeletePrefixes(prefixes []netip.Prefix) (int, error) {
	deleted := 0
	for deleted < len(prefixes) {
		table, keys := t.keys(prefixes[deleted:min(deleted+batchEntries, len(prefixes))])
		count, err := table.BatchDelete(keys, nil)
		deleted += count
		if err != nil {
			return deleted, fmt.Errorf("delete %s: %w", prefixes[min(deleted, len(prefixes)-1)], err)
		}
	}
	return deleted, nil
}

// keys are the kernel's keys of prefixes of one family, and the table they belong to.
func (t *Tables) keys(prefixes []netip.Prefix) (*ebpf.Map, any) {
	if prefixes[0].Addr().Is4() {
		keys := make([]guardIpv4Prefix, len(prefixes))
		for i, prefix := range prefixes {
			address := prefix.Addr().As4()
			keys[i] = guardIpv4Prefix{Length: uint32(prefix.Bits()), Address: binary.NativeEndian.Uint32(address[:])}
		}
		return t.objects.Ipv4Prefixes, keys
	}
	keys := make([]guardIpv6Prefix, len(prefixes))
	for i, prefix := range prefixes {
		address := prefix.Addr().As16()
		keys[i].Length = uint32(prefix.Bits())
		for word := range keys[i].Address {
			keys[i].Address[word] = binary.NativeEndian.Uint32(address[4*word:])
		}
	}
	return t.objects.Ipv6Prefixes, keys
}

// WriteCondition writes a condition that nothing refers to yet.
func (t *Tables) WriteCondition(index uint32, condition Condition) error {
	if err := t.objects.Conditions.Put(index, condition); err != nil {
		return fmt.Errorf("write condition %d: %w", index, err)
	}
	return nil
}

// WriteChain writes a chain that nothing refers to yet.
func (t *Tables) WriteChain(index uint32, chain Chain) error {
	if err := t.objects.Chains.Put(index, chain); err != nil {
		return fmt.Errorf("write chain %d: %w", index, err)
	}
	return nil
}

// WritePolicy writes the policy of a generation that is not the current one.
func (t *Tables) WritePolicy(generation uint32, policy Policy) error {
	if err := t.objects.Policies.Put(generation%2, policy); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	return nil
}

// Switch makes a generation the current one, and returns when no packet is judged by an older one any more. On an error
// the older one is in force, but packets may have seen this one: its number must not come again.
func (t *Tables) Switch(generation uint32) error {
	chunk, err := t.chunk(0)
	if err != nil {
		return err
	}
	var before uint32
	if err := t.objects.Generation.Lookup(uint32(0), &before); err != nil {
		return fmt.Errorf("read the generation: %w", err)
	}
	if err := t.objects.Generation.Put(uint32(0), generation); err != nil {
		return fmt.Errorf("switch to generation %d: %w", generation, err)
	}
	// The kernel waits for running programs when an entry of a map of maps changes.
	if err := t.objects.RuleCounters.Put(uint32(0), chunk); err != nil {
		return errors.Join(fmt.Errorf("wait for running programs: %w", err), t.objects.Generation.Put(uint32(0), before))
	}
	return nil
}
