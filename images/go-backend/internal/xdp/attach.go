// Package xdp holds the guard's XDP program: its maps, its attachment to an interface, what it counts and samples.
package xdp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Options choose where and how to attach.
type Options struct {
	// Interface is a name, or Auto for the default route's.
	Interface string
	Mode      Mode
	// Force attaches to interfaces that seem to belong to a container network, too.
	Force bool
	// PinPath is a directory on a BPF file system. With it the program stays attached when this process ends, and the
	// next one takes its place without a gap. Empty: the program goes when the process does.
	PinPath string
}

// State is what was obtained.
type State struct {
	Mode           Mode // ModeNative, ModeGeneric or ModeOff
	Interface      string
	InterfaceIndex uint32
	ProgramID      uint32
	// Reason tells why a better mode was not obtained; empty in native mode.
	Reason string
}

// Attachment is a program on an interface, or the reason why there is none. Safe for concurrent use.
type Attachment struct {
	options Options
	program *Program // nil: there is nothing to attach
	err     error

	mutex sync.Mutex
	state State
	link  link.Link
	// forced: somebody detached the program on purpose; it stays away.
	forced bool
}

// Attach walks the ladder native → generic → off with a loaded program, or with the reason why it could not be loaded.
// A mode that cannot be had is no error but a State with a reason; an error means that the options name an interface
// that does not exist or must not be used.
func Attach(program *Program, loadErr error, options Options) (*Attachment, error) {
	attachment := &Attachment{options: options, program: program, err: loadErr}
	state, attached, err := attachment.obtain()
	if err != nil {
		return nil, err
	}
	attachment.state, attachment.link = state, attached
	return attachment, nil
}

// obtain attaches once, to whatever the options mean at this moment.
func (a *Attachment) obtain() (State, link.Link, error) {
	if a.options.Mode == ModeOff {
		return off(State{}, "switched off by configuration")
	}
	device, err := findInterface(a.options.Interface)
	if errors.Is(err, errNoDefaultRoute) {
		return off(State{}, err.Error())
	}
	if err != nil {
		return State{}, nil, err
	}
	state := State{Interface: device.Attrs().Name, InterfaceIndex: uint32(device.Attrs().Index)}
	if owner := cniOwner(device); owner != "" && !a.options.Force {
		return refuse(a.options, state, owner)
	}
	if a.program == nil {
		return off(state, a.err.Error()+a.predecessor(device))
	}
	if attached := a.takeOver(&state, device); attached != nil {
		return state, attached, nil
	}
	if attached := device.Attrs().Xdp; attached != nil && attached.Attached {
		return off(state, fmt.Sprintf("observe only: program %d already attached", attached.ProgId))
	}
	return a.climb(state)
}

// refuse is an error for an interface that was named, and a reason for one that was found.
func refuse(options Options, state State, owner string) (State, link.Link, error) {
	reason := fmt.Sprintf("interface %q belongs to a container network (%s): choose another --interface or set --force-interface",
		state.Interface, owner)
	if options.Interface != Auto {
		return State{}, nil, errors.New(reason)
	}
	return off(state, reason)
}

func off(state State, reason string) (State, link.Link, error) {
	state.Mode, state.Reason = ModeOff, reason
	return state, nil, nil
}

// climb tries the modes in order, each with and without fragment support.
func (a *Attachment) climb(state State) (State, link.Link, error) {
	var refusals []string
	for _, mode := range a.options.Mode.ladder() {
		attached, id, err := a.attachMode(mode, state)
		if err == nil {
			state.Mode, state.ProgramID, state.Reason = mode, id, strings.Join(refusals, "; ")
			return state, a.pin(attached, &state), nil
		}
		refusals = append(refusals, fmt.Sprintf("%s: %v", mode, err))
	}
	return off(state, strings.Join(refusals, "; "))
}

// attachMode reports why fragment support was refused, which says more, where the driver refuses both.
func (a *Attachment) attachMode(mode Mode, state State) (link.Link, uint32, error) {
	attached, id, err := a.attachVariant(mode, state, true)
	if err == nil {
		return attached, id, nil
	}
	if attached, id, plainErr := a.attachVariant(mode, state, false); plainErr == nil {
		return attached, id, nil
	}
	return nil, 0, err
}

func (a *Attachment) attachVariant(mode Mode, state State, fragments bool) (link.Link, uint32, error) {
	program, id, err := a.variant(fragments)
	if err != nil {
		return nil, 0, err
	}
	// Never without a flag: the kernel would choose a mode and not tell which.
	flags := map[Mode]link.XDPAttachFlags{ModeNative: link.XDPDriverMode, ModeGeneric: link.XDPGenericMode}[mode]
	attached, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: int(state.InterfaceIndex), Flags: flags})
	if err != nil {
		return nil, 0, explainAttach(err, state)
	}
	return attached, id, nil
}

func (a *Attachment) variant(fragments bool) (*ebpf.Program, uint32, error) {
	program, err := a.program.variant(fragments)
	if err != nil {
		return nil, 0, err
	}
	id, err := programID(program)
	return program, id, err
}

func explainAttach(err error, state State) error {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		return fmt.Errorf("another program is attached to %s: %w", state.Interface, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("attaching needs the capability NET_ADMIN: %w", err)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("the driver of %s has no support: %w", state.Interface, err)
	default:
		return err
	}
}

// State is the state at this moment: off, with the reason, if the interface vanished or somebody detached the program.
func (a *Attachment) State() State {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	state := a.state
	if a.link == nil {
		return state
	}
	if reason, _ := a.lost(); reason != "" {
		state.Mode, state.Reason = ModeOff, reason
	}
	return state
}

// lost tells why the link is none any more, and whether somebody wanted that; empty while it is.
func (a *Attachment) lost() (reason string, forced bool) {
	info, err := a.link.Info()
	if err != nil {
		return fmt.Sprintf("the state of the XDP link is unknown: %v", err), false
	}
	if info.XDP().Ifindex != 0 {
		return "", false
	}
	if _, err := netlink.LinkByIndex(int(a.state.InterfaceIndex)); err != nil {
		return fmt.Sprintf("interface %s vanished", a.state.Interface), false
	}
	return "the program was detached by somebody else", true
}

// Watch attaches again whenever that becomes possible: an interface returns, a default route appears, another program
// goes. It does not where somebody detached the program: that is how a node is freed from it. Ends with the context.
func (a *Attachment) Watch(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			a.recover()
		}
	}
}

func (a *Attachment) recover() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.link != nil {
		a.release()
	}
	if a.link != nil || a.forced || a.program == nil || a.options.Mode == ModeOff {
		return
	}
	// An interface that does not exist at this moment is the usual reason to be here.
	state, attached, err := a.obtain()
	if err != nil || attached == nil {
		return
	}
	a.state, a.link = state, attached
	slog.Info("xdp attached again", "interface", state.Interface, "mode", state.Mode, "reason", state.Reason)
}

// release gives a lost link up.
func (a *Attachment) release() {
	reason, forced := a.lost()
	if reason == "" {
		return
	}
	slog.Error("xdp lost", "interface", a.state.Interface, "reason", reason)
	if err := errors.Join(a.unpin(), a.link.Close()); err != nil {
		slog.Warn("lost xdp link", "error", err)
	}
	a.link, a.forced = nil, forced
	a.state.Mode, a.state.Reason = ModeOff, reason
}

// Err is why the program could not be loaded into the kernel, a fault in it or missing capabilities; nil otherwise.
func (a *Attachment) Err() error {
	return a.err
}

// Counters are one per protocol class, in a fixed order; none where no program was loaded.
func (a *Attachment) Counters() ([]Counter, error) {
	if a.program == nil {
		return nil, nil
	}
	return a.program.Counters()
}

// VerdictCounters are one per verdict and protocol class, in a fixed order; none where no program was loaded.
func (a *Attachment) VerdictCounters() ([]VerdictCounter, error) {
	if a.program == nil {
		return nil, nil
	}
	return a.program.VerdictCounters()
}

// Close detaches the program, so that packets flow on as without it; a pinned one stays and goes on judging.
func (a *Attachment) Close() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.link == nil {
		return nil
	}
	err := a.link.Close()
	a.link = nil
	return err
}
