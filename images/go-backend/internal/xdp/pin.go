package xdp

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

func (a *Attachment) pinFile(interfaceName string) string {
	return filepath.Join(a.options.PinPath, "go-backend-"+interfaceName)
}

// pin keeps a new link alive beyond this process. A link that cannot be pinned is used all the same.
func (a *Attachment) pin(attached link.Link, state *State) link.Link {
	if a.options.PinPath == "" {
		return attached
	}
	if err := attached.Pin(a.pinFile(state.Interface)); err != nil {
		state.Reason = fmt.Sprintf("not pinned: is --pin-path %s a BPF file system? %v", a.options.PinPath, err)
		slog.Warn("xdp link is not pinned", "error", err)
	}
	return attached
}

func (a *Attachment) unpin() error {
	if a.options.PinPath == "" {
		return nil
	}
	if err := os.Remove(a.pinFile(a.state.Interface)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// takeOver puts our program into the link that an earlier process pinned for this interface: no packet passes unjudged
// in between. Nil where there is no such link, or none that can be used.
func (a *Attachment) takeOver(state *State, device netlink.Link) link.Link {
	if a.options.PinPath == "" {
		return nil
	}
	file := a.pinFile(state.Interface)
	pinned, err := link.LoadPinnedLink(file, nil)
	if err != nil {
		return nil
	}
	id, err := a.replaceProgram(pinned, *state)
	if err == nil {
		state.Mode, state.ProgramID = attachedMode(device), id
		return pinned
	}
	slog.Warn("pinned xdp link cannot be used", "file", file, "error", err)
	if err := errors.Join(os.Remove(file), pinned.Close()); err != nil {
		slog.Warn("pinned xdp link cannot be removed", "file", file, "error", err)
	}
	a.forgetAttached(device)
	return nil
}

// replaceProgram updates a link; its old program tells, by refusing one of them, which variant the driver takes.
func (a *Attachment) replaceProgram(pinned link.Link, state State) (uint32, error) {
	info, err := pinned.Info()
	if err != nil {
		return 0, err
	}
	if info.XDP() == nil || info.XDP().Ifindex != state.InterfaceIndex {
		return 0, errors.New("it belongs to an interface that is gone")
	}
	var failures error
	for _, fragments := range []bool{true, false} {
		program, id, err := a.variant(fragments)
		if err == nil {
			err = pinned.Update(program)
		}
		if err == nil {
			return id, nil
		}
		failures = errors.Join(failures, err)
	}
	return 0, failures
}

// predecessor says that a pinned program of an earlier process judges on; empty where there is none.
func (a *Attachment) predecessor(device netlink.Link) string {
	attached := device.Attrs().Xdp
	if a.options.PinPath == "" || attached == nil || !attached.Attached {
		return ""
	}
	if _, err := os.Stat(a.pinFile(device.Attrs().Name)); err != nil {
		return ""
	}
	return fmt.Sprintf("; program %d, which an earlier process pinned, stays attached with the rules it has", attached.ProgId)
}

// forgetAttached reads again what is attached, after a link of ours was given up.
func (a *Attachment) forgetAttached(device netlink.Link) {
	if fresh, err := netlink.LinkByIndex(device.Attrs().Index); err == nil {
		device.Attrs().Xdp = fresh.Attrs().Xdp
	}
}

func attachedMode(device netlink.Link) Mode {
	if attached := device.Attrs().Xdp; attached != nil && attached.AttachMode == nl.XDP_ATTACHED_SKB {
		return ModeGeneric
	}
	return ModeNative
}
