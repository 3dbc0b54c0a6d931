package guard

import (
	"triptych.dev/go-backend/internal/xdp"
)

// numbers hands out the lowest free numbers below a limit. Numbers given back are dirty: their entries hold old data.
type numbers struct {
	limit uint32
	next  uint32
	free  []uint32
}

// take returns a number and whether it was used before; false where none is left.
func (n *numbers) take() (number uint32, dirty, ok bool) {
	if last := len(n.free) - 1; last >= 0 {
		number, n.free = n.free[last], n.free[:last]
		return number, true, true
	}
	if n.next == n.limit {
		return 0, false, false
	}
	n.next++
	return n.next - 1, false, true
}

func (n *numbers) give(number uint32) {
	n.free = append(n.free, number)
}

// slot is a rule's place in the kernel's tables.
type slot struct {
	effect    Effect
	counter   uint32
	condition int64 // -1: none is needed
}

// slots are the places that rules and chains have.
type slots struct {
	counters   numbers
	conditions numbers
	chains     numbers
	rules      map[string]slot // by id
	byChain    map[xdp.Chain]uint32
}

func newSlots() *slots {
	return &slots{
		counters: numbers{limit: xdp.MaxRules}, conditions: numbers{limit: xdp.MaxConditions},
		chains: numbers{limit: xdp.MaxChains}, rules: map[string]slot{}, byChain: map[xdp.Chain]uint32{},
	}
}

// plan is a revision's use of slots: what is new is written before the switch, what is old is freed after it.
type plan struct {
	rules    map[string]slot
	byChain  map[xdp.Chain]uint32
	newRules []slot
	dirty    map[uint32]bool // counters of new rules that must be cleared
	chains   []xdp.Chain     // new ones
}

// plan gives every rule a slot, the one it has where its effect is the same, so that its counter goes on.
func (s *slots) plan(rules []*Rule) (*plan, error) {
	p := &plan{
		rules: make(map[string]slot, len(rules)), byChain: map[xdp.Chain]uint32{}, dirty: map[uint32]bool{},
	}
	for _, rule := range rules {
		if old, ok := s.rules[rule.ID]; ok && old.effect == rule.Effect {
			p.rules[rule.ID] = old
			continue
		}
		if err := s.place(p, rule); err != nil {
			s.abandon(p)
			return nil, err
		}
	}
	return p, nil
}

func (s *slots) place(p *plan, rule *Rule) error {
	counter, dirty, ok := s.counters.take()
	if !ok {
		return exhausted("the revision has more than %d rules", s.counters.limit)
	}
	placed := slot{effect: rule.Effect, counter: counter, condition: -1}
	if !rule.simple() {
		condition, _, ok := s.conditions.take()
		if !ok {
			s.counters.give(counter)
			return exhausted("more than %d rules have a protocol, ports, a limit or count only", s.conditions.limit)
		}
		placed.condition = int64(condition)
	}
	if dirty {
		p.dirty[counter] = true
	}
	p.rules[rule.ID] = placed
	p.newRules = append(p.newRules, placed)
	return nil
}

// reference is what a prefix's entry says, with a new chain where one is needed.
func (s *slots) reference(p *plan, node resolved) (xdp.Reference, error) {
	if len(node.rules) == 0 {
		return xdp.NoReference, nil
	}
	first := node.rules[0]
	if first.simple() {
		return simpleReference(p.rules[first.ID]), nil
	}
	if len(node.rules) == 1 {
		return xdp.ConditionReference(uint32(p.rules[first.ID].condition)), nil
	}
	var chain xdp.Chain
	for i, rule := range node.rules {
		condition, err := s.condition(p, rule)
		if err != nil {
			return 0, err
		}
		chain.Conditions[i] = condition + 1
	}
	return s.chain(p, node, chain)
}

func simpleReference(placed slot) xdp.Reference {
	if placed.effect.Action == xdp.ActionAllow {
		return xdp.AllowReference(placed.counter)
	}
	return xdp.DenyReference(placed.counter)
}

// condition is a rule's condition; a simple rule gets one when it stands in a chain.
func (s *slots) condition(p *plan, rule *Rule) (uint32, error) {
	placed := p.rules[rule.ID]
	if placed.condition >= 0 {
		return uint32(placed.condition), nil
	}
	condition, _, ok := s.conditions.take()
	if !ok {
		return 0, exhausted("more than %d rules have a protocol, ports, a limit or count only", s.conditions.limit)
	}
	placed.condition = int64(condition)
	p.rules[rule.ID] = placed
	p.newRules = append(p.newRules, placed)
	return condition, nil
}

func (s *slots) chain(p *plan, node resolved, chain xdp.Chain) (xdp.Reference, error) {
	if index, ok := p.byChain[chain]; ok {
		return xdp.ChainReference(index), nil
	}
	index, ok := s.byChain[chain]
	if !ok {
		if index, _, ok = s.chains.take(); !ok {
			return 0, exhausted("more than %d combinations of rules, at %s", s.chains.limit, node.prefix)
		}
		p.chains = append(p.chains, chain)
	}
	p.byChain[chain] = index
	return xdp.ChainReference(index), nil
}

// abandon gives back what a plan took.
func (s *slots) abandon(p *plan) {
	s.release(p.rules, s.rules, p.byChain, s.byChain)
}

// commit makes a plan the present, and frees what only the past used.
func (s *slots) commit(p *plan) {
	oldRules, oldChains := s.rules, s.byChain
	s.rules, s.byChain = p.rules, p.byChain
	s.release(oldRules, s.rules, oldChains, s.byChain)
}

func (s *slots) release(rules, kept map[string]slot, chains, keptChains map[xdp.Chain]uint32) {
	for id, gone := range rules {
		same, ok := kept[id]
		if !ok || same.counter != gone.counter {
			s.counters.give(gone.counter)
		}
		if gone.condition >= 0 && (!ok || same.condition != gone.condition) {
			s.conditions.give(uint32(gone.condition))
		}
	}
	for chain, index := range chains {
		if keptIndex, ok := keptChains[chain]; !ok || keptIndex != index {
			s.chains.give(index)
		}
	}
}
