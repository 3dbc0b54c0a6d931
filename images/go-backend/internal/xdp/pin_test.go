package xdp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bpffs mounts a BPF file system of the test's own.
func bpffs(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	must(t, unix.Mount("bpf", directory, "bpf", 0, ""))
	t.Cleanup(func() { must(t, unix.Unmount(directory, unix.MNT_DETACH)) })
	return directory
}

func TestPinnedProgramOutlivesItsProcessAndIsReplaced(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			enterNamespace(t)
			addVeth(t, "up0", "peer0", 1500)
			options := Options{Interface: "up0", Mode: mode, PinPath: bpffs(t)}
			first := attach(t, options)
			old := first.State()
			must(t, first.Close())
			if found := device(t, "up0").Attrs().Xdp; found == nil || found.ProgId != old.ProgramID {
				t.Fatalf("attached %+v, want program %d", found, old.ProgramID)
			}
			second := attach(t, options)
			state := second.State()
			if state.Mode != mode || state.ProgramID == old.ProgramID || state.Reason != "" {
				t.Fatalf("state %+v after %+v", state, old)
			}
			if found := device(t, "up0").Attrs().Xdp; found.ProgId != state.ProgramID {
				t.Fatalf("attached %+v, state %+v", found, state)
			}
		})
	}
}

// TestPinnedProgramStaysWhereTheNextIsRejected has the verifier refuse the successor: the node is judged as before.
func TestPinnedProgramStaysWhereTheNextIsRejected(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	options := Options{Interface: "up0", Mode: ModeNative, PinPath: bpffs(t)}
	first := attach(t, options)
	old := first.State()
	must(t, first.Close())
	loadErr := loadBroken(t)
	second, err := Attach(nil, loadErr, options)
	must(t, err)
	state := second.State()
	if state.Mode != ModeOff || !strings.Contains(state.Reason, "verifier rejected") || !strings.Contains(state.Reason, "stays") {
		t.Errorf("state %+v", state)
	}
	must(t, second.Close())
	if found := device(t, "up0").Attrs().Xdp; found == nil || found.ProgId != old.ProgramID {
		t.Errorf("attached %+v, want program %d", found, old.ProgramID)
	}
}

func TestPinOfAnInterfaceThatIsGone(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	options := Options{Interface: "up0", Mode: ModeNative, PinPath: bpffs(t)}
	must(t, attach(t, options).Close())
	deleteDevice(t, "up0")
	addVeth(t, "up0", "peer0", 1500)
	if state := attach(t, options).State(); state.Mode != ModeNative || state.Reason != "" {
		t.Fatalf("state %+v", state)
	}
	if _, err := os.Stat(filepath.Join(options.PinPath, "go-backend-up0")); err != nil {
		t.Error(err)
	}
}

func TestPinPathThatIsNoBPFFileSystem(t *testing.T) {
	enterNamespace(t)
	addVeth(t, "up0", "peer0", 1500)
	state := attach(t, Options{Interface: "up0", Mode: ModeNative, PinPath: t.TempDir()}).State()
	if state.Mode != ModeNative || state.Reason == "" {
		t.Fatalf("state %+v", state)
	}
}
