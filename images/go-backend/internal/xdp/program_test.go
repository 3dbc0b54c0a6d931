package xdp

import (
	"slices"
	"strings"
	"testing"
)

// TestVariantsShareEverything: what only one of the two variants had would be missing on drivers that take the other.
func TestVariantsShareEverything(t *testing.T) {
	program := load(t)
	shared := program.replacements()
	for name := range program.spec.Maps {
		if own := strings.HasPrefix(name, "."); !own && shared[name] == nil {
			t.Errorf("map %s is not shared", name)
		}
	}
	unused := []string{"stopped_at", "shared_types"} // the first by all but tests
	for name, variable := range program.spec.Variables {
		if variable.SectionName == ".bss" && !slices.Contains(unused, name) {
			t.Errorf("variable %s is not shared: make it an entry of a map", name)
		}
	}
}
