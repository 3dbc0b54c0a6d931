package ingest

import (
	"fmt"
	"slices"

	"triptych.dev/go-backend/internal/xdp"
)

// Mode is how datagrams reach the program.
type Mode string

const (
	// ModeAuto asks for the best: AF_XDP where the XDP program is attached, else sockets.
	ModeAuto Mode = "auto"
	// ModeSocket receives from UDP sockets.
	ModeSocket Mode = "socket"
	// ModeNative and ModeGeneric are obtained, not asked for: AF_XDP, in the mode of the XDP program.
	ModeNative  Mode = "af_xdp_native"
	ModeGeneric Mode = "af_xdp_generic"
)

// ParseMode turns a configured word into a Mode.
func ParseMode(word string) (Mode, error) {
	switch mode := Mode(word); mode {
	case ModeAuto, ModeSocket:
		return mode, nil
	}
	return "", fmt.Errorf("unknown ingest mode %q: use auto or socket", word)
}

// Options are what the command line decides. Zero values mean the defaults.
type Options struct {
	Ports []uint16
	Mode  Mode
	// Subscriptions is how many there can be at once, SubscriptionDatagrams how many datagrams each may have waiting.
	// Their product is memory that is set aside in every receive queue.
	Subscriptions, SubscriptionDatagrams int
	// Queues is how many receive queues are opened at most.
	Queues int
	// DatagramBytes is the longest datagram that sockets take; AF_XDP takes what the interface's MTU allows.
	DatagramBytes     int
	VerifyUDPChecksum bool
}

// Defaults of Options.
const (
	DefaultSubscriptions         = 8
	DefaultSubscriptionDatagrams = 1024
	DefaultQueues                = 4
	DefaultDatagramBytes         = 2048
)

func (o Options) withDefaults() Options {
	o.Ports = slices.Clone(o.Ports)
	slices.Sort(o.Ports)
	defaults := []struct {
		option *int
		value  int
	}{
		{&o.Subscriptions, DefaultSubscriptions}, {&o.SubscriptionDatagrams, DefaultSubscriptionDatagrams},
		{&o.Queues, DefaultQueues}, {&o.DatagramBytes, DefaultDatagramBytes},
	}
	for _, option := range defaults {
		if *option.option == 0 {
			*option.option = option.value
		}
	}
	return o
}

func (o Options) check() error {
	if len(o.Ports) > xdp.IngestStreams {
		return fmt.Errorf("%d ingest ports: at most %d are possible", len(o.Ports), xdp.IngestStreams)
	}
	for i, port := range o.Ports {
		if port == 0 || i > 0 && port == o.Ports[i-1] {
			return fmt.Errorf("--ingest-ports: %d is no port or is there twice", port)
		}
	}
	limits := []struct {
		flag             string
		value, low, high int
	}{
		{"--ingest-subscriptions", o.Subscriptions, 1, 64},
		{"--ingest-subscription-datagrams", o.SubscriptionDatagrams, 64, 1 << 17},
		{"--ingest-queues", o.Queues, 1, xdp.IngestQueues},
		{"--ingest-datagram-bytes", o.DatagramBytes, 512, 1 << 16},
	}
	for _, limit := range limits {
		if limit.value < limit.low || limit.value > limit.high {
			return fmt.Errorf("%s %d: choose %d to %d", limit.flag, limit.value, limit.low, limit.high)
		}
	}
	if o.DatagramBytes&(o.DatagramBytes-1) != 0 {
		return fmt.Errorf("--ingest-datagram-bytes %d: choose a power of two", o.DatagramBytes)
	}
	return nil
}
