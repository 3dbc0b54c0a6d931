// Package xdp attaches the counting program to an interface and reads its counters.
package xdp

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

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

// Attachment is a program on an interface, or the reason why there is none.
type Attachment struct {
	state   State
	program *program
	link    link.Link
	err     error
	logLoss sync.Once
}

// Attach walks the ladder native → generic → off. A mode that cannot be had is no error but a State with a reason;
// an error means that the options name an interface that does not exist or must not be used.
func Attach(options Options) (*Attachment, error) {
	if options.Mode == ModeOff {
		return off(State{Reason: "switched off by configuration"}), nil
	}
	device, err := findInterface(options.Interface)
	if errors.Is(err, errNoDefaultRoute) {
		return off(State{Reason: err.Error()}), nil
	}
	if err != nil {
		return nil, err
	}
	state := State{Interface: device.Attrs().Name, InterfaceIndex: uint32(device.Attrs().Index)}
	if owner := cniOwner(device); owner != "" && !options.Force {
		return refuse(options, state, owner)
	}
	if attached := device.Attrs().Xdp; attached != nil && attached.Attached {
		state.Reason = fmt.Sprintf("observe only: program %d already attached", attached.ProgId)
		return off(state), nil
	}
	return climb(options.Mode.ladder(), state), nil
}

// refuse is an error for an interface that was named, and a reason for one that was found.
func refuse(options Options, state State, owner string) (*Attachment, error) {
	reason := fmt.Sprintf("interface %q belongs to a container network (%s): choose another --interface or set --force-interface",
		state.Interface, owner)
	if options.Interface != Auto {
		return nil, errors.New(reason)
	}
	state.Reason = reason
	return off(state), nil
}

func off(state State) *Attachment {
	state.Mode = ModeOff
	return &Attachment{state: state}
}

// climb tries the modes in order, each with and without fragment support.
func climb(modes []Mode, state State) *Attachment {
	var refusals []string
	for _, mode := range modes {
		attachment, err := attachMode(mode, state)
		if err == nil {
			attachment.state.Reason = strings.Join(refusals, "; ")
			return attachment
		}
		if errors.Is(err, errLoad) {
			state.Reason = err.Error()
			failed := off(state)
			failed.err = err
			return failed
		}
		refusals = append(refusals, fmt.Sprintf("%s: %v", mode, err))
	}
	state.Reason = strings.Join(refusals, "; ")
	return off(state)
}

func attachMode(mode Mode, state State) (*Attachment, error) {
	attachment, err := attachProgram(mode, state, true)
	if err == nil || errors.Is(err, errLoad) {
		return attachment, err
	}
	if plain, plainErr := attachProgram(mode, state, false); plainErr == nil {
		return plain, nil
	}
	return nil, err
}

var errLoad = errors.New("no program")

func attachProgram(mode Mode, state State, fragments bool) (*Attachment, error) {
	loaded, err := loadProgram(fragments)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errLoad, err)
	}
	attachment, err := attachLoaded(loaded, mode, state)
	if err != nil {
		return nil, errors.Join(err, loaded.close())
	}
	return attachment, nil
}

func attachLoaded(loaded *program, mode Mode, state State) (*Attachment, error) {
	// Never without a flag: the kernel would choose a mode and not tell which.
	flags := map[Mode]link.XDPAttachFlags{ModeNative: link.XDPDriverMode, ModeGeneric: link.XDPGenericMode}[mode]
	id, err := loaded.id()
	if err != nil {
		return nil, err
	}
	attached, err := link.AttachXDP(link.XDPOptions{
		Program: loaded.objects.CountPackets, Interface: int(state.InterfaceIndex), Flags: flags,
	})
	if err != nil {
		return nil, explainAttach(err, state)
	}
	state.Mode, state.ProgramID = mode, id
	return &Attachment{state: state, program: loaded, link: attached}, nil
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
	if a.link == nil {
		return a.state
	}
	if reason := a.lost(); reason != "" {
		a.logLoss.Do(func() { slog.Error("xdp lost", "interface", a.state.Interface, "reason", reason) })
		state := a.state
		state.Mode, state.Reason = ModeOff, reason
		return state
	}
	return a.state
}

func (a *Attachment) lost() string {
	info, err := a.link.Info()
	if err != nil {
		return fmt.Sprintf("the state of the XDP link is unknown: %v", err)
	}
	if info.XDP().Ifindex != 0 {
		return ""
	}
	if _, err := netlink.LinkByIndex(int(a.state.InterfaceIndex)); err != nil {
		return fmt.Sprintf("interface %s vanished", a.state.Interface)
	}
	return "the program was detached by somebody else"
}

// Err is why the program could not be loaded into the kernel, a fault in it or missing capabilities; nil otherwise.
func (a *Attachment) Err() error {
	return a.err
}

// Counters are one per protocol class, in a fixed order; none where nothing was attached.
func (a *Attachment) Counters() ([]Counter, error) {
	if a.program == nil {
		return nil, nil
	}
	return a.program.counters()
}

// Close detaches the program: packets flow on as without it.
func (a *Attachment) Close() error {
	if a.link == nil {
		return nil
	}
	return errors.Join(a.link.Close(), a.program.close())
}
