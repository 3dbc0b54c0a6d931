package xdp

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/packet"
)

var peerAddress = netip.MustParseAddr("10.0.0.2")

func TestFramesOverVeth(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		for _, mtu := range []int{1500, 9000} {
			t.Run(fmt.Sprint(mode, mtu), func(t *testing.T) { framesOverVeth(t, mode, mtu) })
		}
	}
}

func framesOverVeth(t *testing.T, mode Mode, mtu int) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", mtu)
	attachment := attach(t, Options{Interface: "up0", Mode: mode})
	state := attachment.State()
	if state.Mode != mode || state.Reason != "" || state.Interface != "up0" || state.ProgramID == 0 {
		t.Fatalf("state %+v", state)
	}
	want := attachedCounters(t, attachment)
	var frames [][]byte
	for protocol, frame := range map[string][]byte{
		"tcp":    packet.Ethernet(packet.TypeIPv4, packet.IPv4(peerAddress, 6, packet.TCP(1, 2, 0))),
		"udp":    packet.Ethernet(packet.TypeIPv4, packet.IPv4(peerAddress, 17, packet.UDP(1, 2), make([]byte, mtu-28))),
		"icmp":   packet.Ethernet(packet.TypeIPv4, packet.IPv4(peerAddress, 1, make([]byte, 8))),
		"icmpv6": packet.Ethernet(packet.TypeIPv6, packet.IPv6(netip.IPv6LinkLocalAllNodes(), 58, packet.ICMPv6(128))),
		"arp":    packet.Ethernet(packet.TypeARP, make([]byte, 28)),
		"other":  packet.Ethernet(0x88cc, make([]byte, 40)),
	} {
		frames = append(frames, frame)
		index := slices.IndexFunc(want, func(counter Counter) bool { return counter.Protocol == protocol })
		want[index].Packets++
		want[index].Bytes += uint64(len(frame))
	}
	sendFrames(t, "peer0", frames)
	eventually(t, fmt.Sprintf("counters are %v", want), func() bool {
		return slices.Equal(attachedCounters(t, attachment), want)
	})
}

// TestTrafficPasses has a client in another namespace: datagrams arrive and are counted, one for one.
func TestTrafficPasses(t *testing.T) {
	enterNamespace(t)
	own, err := netns.Get()
	must(t, err)
	defer own.Close()
	other, err := netns.New()
	must(t, err)
	defer other.Close()
	must(t, netns.Set(own))
	addVeth(t, "up0", "peer0", 1500)
	addAddress(t, "up0", netip.MustParseAddr("10.0.0.1"))
	must(t, netlink.LinkSetNsFd(device(t, "peer0"), int(other)))
	attachment := attach(t, Options{Interface: "up0", Mode: ModeAuto})
	if mode := attachment.State().Mode; mode != ModeNative {
		t.Fatalf("mode %s, want native: %s", mode, attachment.State().Reason)
	}
	server, err := net.ListenPacket("udp4", "10.0.0.1:4000")
	must(t, err)
	defer server.Close()
	inNamespace(t, other, func() {
		up(t, "peer0")
		addAddress(t, "peer0", netip.MustParseAddr("10.0.0.2"))
		client, err := net.Dial("udp4", "10.0.0.1:4000")
		must(t, err)
		defer client.Close()
		for range 10 {
			_, err = client.Write([]byte("hello"))
			must(t, err)
		}
	})
	buffer := make([]byte, 100)
	for range 10 {
		if length, _, err := server.ReadFrom(buffer); err != nil || string(buffer[:length]) != "hello" {
			t.Fatalf("received %q, %v", buffer[:length], err)
		}
	}
	udp := attachedCounters(t, attachment)[guardProtocolClassPROTOCOL_UDP]
	if want := (Counter{Protocol: "udp", Packets: 10, Bytes: 10 * (14 + 20 + 8 + 5)}); udp != want {
		t.Errorf("counted %+v, want %+v", udp, want)
	}
}

func TestAutoFallsBackToGeneric(t *testing.T) {
	enterNamespace(t)
	attachment := attach(t, Options{Interface: "lo", Mode: ModeAuto})
	state := attachment.State()
	if state.Mode != ModeGeneric || !strings.HasPrefix(state.Reason, "native: the driver of lo has no support") {
		t.Fatalf("state %+v", state)
	}
	client, err := net.Dial("udp4", "127.0.0.1:9")
	must(t, err)
	defer client.Close()
	_, err = client.Write([]byte("hello"))
	must(t, err)
	eventually(t, "a datagram is counted", func() bool {
		return attachedCounters(t, attachment)[guardProtocolClassPROTOCOL_UDP].Packets == 1
	})
}

func TestNativeOnlyDoesNotFallBack(t *testing.T) {
	enterNamespace(t)
	state := attach(t, Options{Interface: "lo", Mode: ModeNative}).State()
	if state.Mode != ModeOff || !strings.Contains(state.Reason, "no support") {
		t.Fatalf("state %+v", state)
	}
}

func TestOffTouchesNothing(t *testing.T) {
	attachment, err := Attach(nil, nil, Options{Interface: "missing", Mode: ModeOff})
	must(t, err)
	if counters := attachedCounters(t, attachment); len(counters) != 0 || attachment.State().Mode != ModeOff {
		t.Fatalf("state %+v, counters %v", attachment.State(), counters)
	}
}

func TestObserveOnlyBesideAnotherProgram(t *testing.T) {
	foreign, err := load(t).variant(false)
	must(t, err)
	flags := map[Mode]int{ModeNative: unix.XDP_FLAGS_DRV_MODE, ModeGeneric: unix.XDP_FLAGS_SKB_MODE}
	for mode, flag := range flags {
		t.Run(string(mode), func(t *testing.T) {
			enterNamespace(t)
			addVeth(t, "up0", "peer0", 1500)
			must(t, netlink.LinkSetXdpFdWithFlags(device(t, "up0"), foreign.FD(), flag))
			id, err := programID(foreign)
			must(t, err)
			attachment := attach(t, Options{Interface: "up0", Mode: ModeAuto})
			want := State{
				Mode: ModeOff, Interface: "up0", InterfaceIndex: uint32(device(t, "up0").Attrs().Index),
				Reason: fmt.Sprintf("observe only: program %d already attached", id),
			}
			if state := attachment.State(); state != want {
				t.Errorf("state %+v, want %+v", state, want)
			}
			must(t, attachment.Close())
			if still := device(t, "up0").Attrs().Xdp; still == nil || still.ProgId != id {
				t.Errorf("the other program is gone: %+v", still)
			}
		})
	}
}

// TestRace covers a program that appears after we looked: the kernel refuses, and so the other one stays.
func TestRace(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	first := attach(t, Options{Interface: "up0", Mode: ModeNative}).State()
	second := &Attachment{options: Options{Interface: "up0", Mode: ModeAuto}, program: load(t)}
	state, _, err := second.climb(State{Interface: "up0", InterfaceIndex: first.InterfaceIndex})
	must(t, err)
	if state.Mode != ModeOff || !strings.Contains(state.Reason, "another program is attached") {
		t.Fatalf("state %+v", state)
	}
	if now := device(t, "up0").Attrs().Xdp.ProgId; now != first.ProgramID {
		t.Fatalf("program %d, want %d", now, first.ProgramID)
	}
}

func TestCloseDetaches(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	attachment := attach(t, Options{Interface: "up0", Mode: ModeNative})
	if found := device(t, "up0").Attrs().Xdp; found.ProgId != attachment.State().ProgramID {
		t.Fatalf("attached %+v, state %+v", found, attachment.State())
	}
	must(t, attachment.Close())
	if found := device(t, "up0").Attrs().Xdp; found != nil && found.Attached {
		t.Fatalf("still attached: %+v", found)
	}
	again := attach(t, Options{Interface: "up0", Mode: ModeNative})
	if again.State().Mode != ModeNative {
		t.Fatalf("state %+v", again.State())
	}
}

func TestInterfaceVanishes(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	attachment := attach(t, Options{Interface: "up0", Mode: ModeNative})
	must(t, netlink.LinkDel(device(t, "up0")))
	if state := attachment.State(); state.Mode != ModeOff || state.Reason != "interface up0 vanished" {
		t.Fatalf("state %+v", state)
	}
	if counters := attachedCounters(t, attachment); len(counters) != len(protocols) {
		t.Fatalf("counters %v", counters)
	}
	must(t, attachment.Close())
}

// TestInterfaceReturns has the interface go and come back: the same program judges again, and its counters go on.
func TestInterfaceReturns(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	attachment := attach(t, Options{Interface: "up0", Mode: ModeNative})
	first := attachment.State()
	sendFrames(t, "peer0", [][]byte{packet.Ethernet(packet.TypeARP, make([]byte, 28))})
	must(t, netlink.LinkDel(device(t, "up0")))
	attachment.recover()
	if state := attachment.State(); state.Mode != ModeOff || state.Reason != "interface up0 vanished" {
		t.Fatalf("state %+v", state)
	}
	addVeth(t, "up0", "peer0", 1500)
	attachment.recover()
	if state := attachment.State(); state.Mode != ModeNative || state.ProgramID != first.ProgramID || state.Reason != "" {
		t.Fatalf("state %+v, first %+v", state, first)
	}
	sendFrames(t, "peer0", [][]byte{packet.Ethernet(packet.TypeARP, make([]byte, 28))})
	eventually(t, "both frames are counted", func() bool {
		return attachedCounters(t, attachment)[guardProtocolClassPROTOCOL_ARP].Packets == 2
	})
}

func TestAttachesWhenTheOtherProgramGoes(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	first := attach(t, Options{Interface: "up0", Mode: ModeNative})
	second := attach(t, Options{Interface: "up0", Mode: ModeNative})
	if state := second.State(); state.Mode != ModeOff || !strings.HasPrefix(state.Reason, "observe only") {
		t.Fatalf("state %+v", state)
	}
	must(t, first.Close())
	second.recover()
	if state := second.State(); state.Mode != ModeNative {
		t.Fatalf("state %+v", state)
	}
}

func TestDetachedBySomebodyElse(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	attachment := attach(t, Options{Interface: "up0", Mode: ModeNative})
	must(t, attachment.link.Detach())
	if state := attachment.State(); state.Mode != ModeOff || state.Reason != "the program was detached by somebody else" {
		t.Fatalf("state %+v", state)
	}
	attachment.recover()
	attachment.recover()
	if state := attachment.State(); state.Mode != ModeOff || state.Reason != "the program was detached by somebody else" {
		t.Fatalf("attached against somebody's will: %+v", state)
	}
}

// loadBroken returns what the kernel says to a program that it must refuse.
func loadBroken(t *testing.T) error {
	t.Helper()
	loadSpec = func() (*ebpf.CollectionSpec, error) {
		spec, err := loadGuard()
		if err == nil {
			spec.Programs[guardProgGuard].Instructions = asm.Instructions{asm.Return()}
		}
		return spec, err
	}
	defer func() { loadSpec = loadGuard }()
	program, err := Load(LoadOptions{})
	if err == nil || program != nil {
		t.Fatal("the verifier took a broken program")
	}
	return err
}

// TestVerifierRejection lets the kernel refuse a program: off, with the verifier's words, and an error to log.
func TestVerifierRejection(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	loadErr := loadBroken(t)
	attachment, err := Attach(nil, loadErr, Options{Interface: "up0", Mode: ModeAuto})
	must(t, err)
	if log := VerifierLog(attachment.Err()); !strings.Contains(log, "R0 !read_ok") {
		t.Fatalf("error %v, log %q", attachment.Err(), log)
	}
	state := attachment.State()
	if state.Mode != ModeOff || !strings.Contains(state.Reason, "verifier rejected") || !strings.Contains(state.Reason, "R0 !read_ok") {
		t.Fatalf("state %+v", state)
	}
}

func TestCapabilities(t *testing.T) {
	const needed = "needs the capabilities BPF and NET_ADMIN"
	tests := []struct {
		name         string
		capabilities []int
		mode         Mode
		reason       string
	}{
		{"none", nil, ModeOff, needed},
		{"BPF alone", []int{unix.CAP_BPF}, ModeOff, needed},
		{"NET_ADMIN alone", []int{unix.CAP_NET_ADMIN}, ModeOff, needed},
		{"both", []int{unix.CAP_BPF, unix.CAP_NET_ADMIN}, ModeNative, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			enterNamespace(t)
			addVeth(t, "up0", "peer0", 1500)
			keepCapabilities(t, test.capabilities)
			program, loadErr := Load(LoadOptions{})
			if loadErr == nil {
				defer program.Close()
			}
			attachment, err := Attach(program, loadErr, Options{Interface: "up0", Mode: ModeAuto})
			must(t, err)
			defer attachment.Close()
			if state := attachment.State(); state.Mode != test.mode || !strings.Contains(state.Reason, test.reason) {
				t.Fatalf("state %+v", state)
			}
			if _, err := attachment.Counters(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// keepCapabilities takes all others from this thread, which ends with the test.
func keepCapabilities(t *testing.T, kept []int) {
	t.Helper()
	var sets [2]unix.CapUserData
	for _, capability := range kept {
		bit := uint32(1) << (capability % 32)
		sets[capability/32].Effective |= bit
		sets[capability/32].Permitted |= bit
	}
	must(t, unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &sets[0]))
}
