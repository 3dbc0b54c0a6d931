package xdp

import (
	"log/slog"

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
}

// IngestMaps belong to the program, which closes them; false where none was loaded. Asking for them makes the program
// look for the ingest's datagrams, which costs every other datagram a look-up.
func (a *Attachment) IngestMaps() (IngestMaps, bool) {
	if a.program == nil {
		return IngestMaps{}, false
	}
	objects := &a.program.objects
	if err := objects.IngestWanted.Set(true); err != nil {
		slog.Error("the XDP program does not look for the ingest's datagrams", "error", err)
		return IngestMaps{}, false
	}
	return IngestMaps{
		Destinations: objects.IngestDestinations, Sockets: objects.IngestSockets, Sequences: objects.IngestSequences,
	}, true
}
