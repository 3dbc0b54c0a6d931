package xdp

import "fmt"

// Mode is how packets reach the program.
type Mode string

const (
	// ModeAuto asks for the best mode the interface takes: native, then generic, then off.
	ModeAuto Mode = "auto"
	// ModeNative runs the program in the driver's receive path.
	ModeNative Mode = "native"
	// ModeGeneric runs the program in the network stack, on any driver.
	ModeGeneric Mode = "generic"
	// ModeOff attaches nothing.
	ModeOff Mode = "off"
)

// ParseMode turns a configured word into a Mode.
func ParseMode(word string) (Mode, error) {
	switch mode := Mode(word); mode {
	case ModeAuto, ModeNative, ModeGeneric, ModeOff:
		return mode, nil
	}
	return "", fmt.Errorf("unknown XDP mode %q: use auto, native, generic or off", word)
}

// ladder lists the modes to try for a requested one, best first.
func (m Mode) ladder() []Mode {
	switch m {
	case ModeAuto:
		return []Mode{ModeNative, ModeGeneric}
	case ModeOff:
		return nil
	default:
		return []Mode{m}
	}
}
