package guard

import (
	"fmt"
	"net/netip"
	"testing"

	"triptych.dev/go-backend/internal/xdp"
)

// TestPrefilterOfEachGeneration writes prefilters that say another thing than the prefixes: in force is the one of the
// generation in force, whatever its parity, and what is written for the next one shows in no verdict before the switch.
func TestPrefilterOfEachGeneration(t *testing.T) {
	program := load(t, xdp.LoadOptions{FailSafe: defaultFailSafe(t)})
	tables := program.Tables()
	guard, host := New(tables, nil), byte(0)
	dropped := func() bool { // from a source that no CPU remembers
		t.Helper()
		host++
		action, err := program.Run(udp4(netip.AddrFrom4([4]byte{203, 0, 113, host}), 1000, 2000))
		must(t, err)
		return action == 1
	}
	nothing := func(func(netip.Prefix, xdp.Reference) bool) {}
	for number := uint64(1); number <= 4; number++ {
		_, err := guard.Apply(&Change{Number: number, Base: number - 1, Upserts: []*Rule{
			rule("enemy", "203.0.113.0/24", xdp.ActionDeny), rule(fmt.Sprint("other-", number), "192.0.2.0/24", xdp.ActionDeny, countOnly),
		}})
		must(t, err)
		generation := guard.installer.generation
		if !dropped() {
			t.Errorf("generation %d does not deny", generation)
		}
		must(t, tables.WritePrefilter(generation+1, nothing))
		if !dropped() {
			t.Errorf("the prefilter of generation %d is in force before its switch", generation+1)
		}
		must(t, tables.WritePrefilter(generation, nothing))
		if dropped() {
			t.Errorf("the prefilter of generation %d is not what its packets are judged by", generation)
		}
	}
}
