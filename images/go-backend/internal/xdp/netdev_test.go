package xdp

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestAutoTakesTheDefaultRouteWithTheLowestMetric(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	addVeth(t, "up1", "peer1", 1500)
	addDefaultRoute(t, "up0", 0, 200)
	addDefaultRoute(t, "up1", 1, 100)
	if state := attach(t, Options{Interface: Auto, Mode: ModeAuto}).State(); state.Interface != "up1" || state.Mode != ModeNative {
		t.Fatalf("state %+v", state)
	}
}

func TestAutoWithoutDefaultRoute(t *testing.T) {
	enterNamespace(t)
	state := attach(t, Options{Interface: Auto, Mode: ModeAuto}).State()
	if state.Mode != ModeOff || state.Reason != errNoDefaultRoute.Error() {
		t.Fatalf("state %+v", state)
	}
}

func TestMissingInterface(t *testing.T) {
	enterNamespace(t)
	_, err := Attach(load(t), nil, Options{Interface: "eth9", Mode: ModeAuto})
	const want = `interface "eth9" does not exist: set --interface to one of lo, or to auto`
	if err == nil || err.Error() != want {
		t.Fatalf("error %v, want %s", err, want)
	}
}

func TestContainerNetworkIsRefused(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "veth0", "cali1", 1500)
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "switch0"}}))
	for name, want := range map[string]string{
		"veth0": `its name starts with "veth"`, "cali1": `its name starts with "cali"`, "switch0": "it is a bridge",
	} {
		if _, err := Attach(load(t), nil, Options{Interface: name, Mode: ModeAuto}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	if state := attach(t, Options{Interface: "veth0", Mode: ModeAuto, Force: true}).State(); state.Mode != ModeNative {
		t.Errorf("forced: state %+v", state)
	}
}

func TestAutoSkipsContainerNetwork(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "veth0", "peer0", 1500)
	addDefaultRoute(t, "veth0", 0, 0)
	state := attach(t, Options{Interface: Auto, Mode: ModeAuto}).State()
	if state.Mode != ModeOff || !strings.Contains(state.Reason, "belongs to a container network") {
		t.Fatalf("state %+v", state)
	}
}

func TestParseMode(t *testing.T) {
	if _, err := ParseMode("fast"); err == nil || !strings.Contains(err.Error(), "auto, native, generic or off") {
		t.Errorf("error %v", err)
	}
	for _, mode := range []Mode{ModeAuto, ModeNative, ModeGeneric, ModeOff} {
		if got, err := ParseMode(string(mode)); got != mode || err != nil {
			t.Errorf("%s: %s, %v", mode, got, err)
		}
	}
}
