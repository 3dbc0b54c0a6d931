package xdp

import "github.com/cilium/ebpf"

// Limits of the ingest's maps, as in bpf/ingest.h.
const (
	IngestStreams = 64
	IngestQueues  = 64
)

// IngestDestination is the key of IngestMaps.Destinations: an address as 16 bytes, a port in network byte order.
type IngestDestination = countersIngestDestination

// IngestMaps are how the ingest tells the attached program what to redirect where; bpf/ingest.h describes each.
type IngestMaps struct {
	Destinations *ebpf.Map
	Sockets      *ebpf.Map
	Sequences    *ebpf.Map
}

// IngestMaps belong to the attachment, which closes them; false where nothing is attached.
func (a *Attachment) IngestMaps() (IngestMaps, bool) {
	if a.program == nil {
		return IngestMaps{}, false
	}
	objects := &a.program.objects
	return IngestMaps{
		Destinations: objects.IngestDestinations, Sockets: objects.IngestSockets, Sequences: objects.IngestSequences,
	}, true
}
