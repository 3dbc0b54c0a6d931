package xdp

import (
	"fmt"

	"github.com/cilium/ebpf"
)

// Limits of the ingest's maps, as in bpf/ingest.h.
const (
	IngestStreams = 64
	IngestQueues  = 64
)

// IngestDestination is the key of IngestMaps.Destinations: an address as 16 bytes, a port in network byte order.
type IngestDestination = guardIngestDestination

// IngestMaps are how the ingest tells the attached program what to redirect where; bpf/ingest.h describes each.
type IngestMaps struct {
	Destinations *ebpf.Map
	Sockets      *ebpf.Map
	Sequences    *ebpf.Map
	states       *ebpf.Map
}

// IngestMaps belong to the program, which closes them; false where none was loaded.
func (a *Attachment) IngestMaps() (IngestMaps, bool) {
	if a.program == nil {
		return IngestMaps{}, false
	}
	objects := &a.program.objects
	return IngestMaps{
		Destinations: objects.IngestDestinations, Sockets: objects.IngestSockets, Sequences: objects.IngestSequences,
		states: objects.IngestStates,
	}, true
}

// Changed makes the program see a change of Destinations. While the ingest is wanted, the program looks every datagram
// up; otherwise it spares itself that, and redirects none.
func (m IngestMaps) Changed(wanted bool) error {
	var state guardIngestState
	if err := m.states.Lookup(uint32(0), &state); err != nil {
		return fmt.Errorf("read the ingest's state: %w", err)
	}
	state.Version, state.Wanted = max(state.Version+1, 1), 0
	if wanted {
		state.Wanted = 1
	}
	if err := m.states.Put(uint32(0), &state); err != nil {
		return fmt.Errorf("tell the program about the ingest's change: %w", err)
	}
	return nil
}
