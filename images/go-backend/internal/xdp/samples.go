package xdp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/cilium/ebpf/ringbuf"
)

// NoRule is Sample.Rule where no rule decided.
const NoRule = ^uint32(0)

// Sample is one packet, chosen among Weight of them that passed or that dropped.
type Sample struct {
	// SinceBoot is CLOCK_MONOTONIC.
	SinceBoot       time.Duration
	Verdict         Verdict
	Rule            uint32     // its counter
	Source          netip.Addr // invalid where the packet is not IP
	Destination     netip.Addr
	Protocol        uint8
	SourcePort      uint16
	DestinationPort uint16
	Length          uint32
	Weight          uint32
}

// SampleReader reads samples in the order they were taken. Not safe for concurrent use, but for Close.
type SampleReader struct {
	reader *ringbuf.Reader
	record ringbuf.Record
}

// Samples opens the program's samples; one reader at a time.
func (p *Program) Samples() (*SampleReader, error) {
	reader, err := ringbuf.NewReader(p.objects.Samples)
	if err != nil {
		return nil, fmt.Errorf("open the samples: %w", err)
	}
	return &SampleReader{reader: reader}, nil
}

// Read waits for the next sample; os.ErrClosed after Close.
func (r *SampleReader) Read() (Sample, error) {
	if err := r.reader.ReadInto(&r.record); err != nil {
		if errors.Is(err, ringbuf.ErrClosed) {
			return Sample{}, os.ErrClosed
		}
		return Sample{}, fmt.Errorf("read a sample: %w", err)
	}
	var raw guardSample
	if err := binary.Read(bytes.NewReader(r.record.RawSample), binary.NativeEndian, &raw); err != nil {
		return Sample{}, fmt.Errorf("decode a sample: %w", err)
	}
	return decodeSample(&raw), nil
}

// Close ends a Read that waits.
func (r *SampleReader) Close() error {
	return r.reader.Close()
}

func decodeSample(raw *guardSample) Sample {
	return Sample{
		SinceBoot: time.Duration(raw.Time), Verdict: Verdict(raw.Verdict), Rule: raw.Rule,
		Source: address(raw.Kind, raw.Source), Destination: address(raw.Kind, raw.Destination),
		Protocol: raw.Protocol, SourcePort: raw.SourcePort, DestinationPort: raw.DestinationPort,
		Length: raw.Length, Weight: raw.Weight,
	}
}

func address(kind uint8, words [2]uint64) netip.Addr {
	var bytes [16]byte
	binary.NativeEndian.PutUint64(bytes[:8], words[0])
	binary.NativeEndian.PutUint64(bytes[8:], words[1])
	switch guardPacketKind(kind) {
	case guardPacketKindKIND_IPV4:
		return netip.AddrFrom4([4]byte(bytes[:4]))
	case guardPacketKindKIND_IPV6:
		return netip.AddrFrom16(bytes)
	}
	return netip.Addr{}
}
