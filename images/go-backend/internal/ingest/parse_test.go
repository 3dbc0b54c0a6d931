package ingest

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestParseFrame(t *testing.T) {
	payload := []byte("hello, world!")
	four, six := to4(514), to6(514)
	with := func(base builder, change func(*builder)) builder { change(&base); return base }
	length := func(offset int, value uint16) func([]byte) {
		return func(header []byte) { binary.BigEndian.PutUint16(header[offset:], value) }
	}
	tests := []struct {
		name   string
		frame  builder
		verify bool
		want   cause
	}{
		{"IPv4", four, true, noCause},
		{"IPv6", six, true, noCause},
		{"IPv4 with options", with(four, func(b *builder) { b.options = 3 }), true, noCause},
		{"padded to the least frame", with(four, func(b *builder) { b.padding = 20 }), true, noCause},
		{"VLAN, IPv4", with(four, func(b *builder) { b.tags = []uint16{typeVLAN} }), true, noCause},
		{"QinQ, IPv6", with(six, func(b *builder) { b.tags = []uint16{typeQinQ, typeVLAN} }), true, noCause},
		{"three tags", with(six, func(b *builder) { b.tags = []uint16{typeQinQ, typeVLAN, typeVLAN} }), true, malformed},
		{"IPv4 without a UDP checksum", with(four, func(b *builder) { b.noChecksum = true }), true, noCause},
		{"IPv6 without a UDP checksum", with(six, func(b *builder) { b.noChecksum = true }), true, badChecksum},
		{"IPv6 without a UDP checksum, accepted", with(six, func(b *builder) { b.noChecksum = true }), false, noCause},
		{"wrong UDP checksum", with(four, func(b *builder) { b.mutateUDP = length(6, 1) }), true, badChecksum},
		{"wrong UDP checksum, accepted", with(four, func(b *builder) { b.mutateUDP = length(6, 1) }), false, noCause},
		{"wrong IPv4 checksum", with(four, func(b *builder) { b.mutateIP = length(10, 1) }), false, badChecksum},
		{"UDP longer than IP", with(four, func(b *builder) { b.mutateUDP = length(4, 100) }), false, malformed},
		{"UDP shorter than its header", with(six, func(b *builder) { b.mutateUDP = length(4, 7) }), false, malformed},
		{"IPv4 longer than the frame", with(four, func(b *builder) { b.mutateIP = length(2, 1000) }), false, malformed},
		{"IPv4 shorter than its header", with(four, func(b *builder) { b.mutateIP = length(2, 19) }), false, malformed},
		{"IPv6 longer than the frame", with(six, func(b *builder) { b.mutateIP = length(4, 1000) }), false, malformed},
		{"first fragment", with(four, func(b *builder) { b.fragmentBits = 0x2000 }), false, malformed},
		{"later fragment", with(four, func(b *builder) { b.fragmentBits = 3 }), false, malformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			frame := test.frame.frame(payload)
			var parsed datagram
			problem := parsed.parse(frame, test.verify)
			if problem != test.want {
				t.Fatalf("cause %d, want %d", problem, test.want)
			}
			if problem != noCause {
				return
			}
			if got := frame[parsed.offset:][:parsed.length]; !bytes.Equal(got, payload) || parsed.source != endpointOf(test.frame.from) || parsed.port != 514 {
				t.Errorf("payload %q, source %v, port %d", got, parsed.source, parsed.port)
			}
		})
	}
}

func endpointOf(address netip.AddrPort) endpoint {
	made := endpoint{port: address.Port(), isIPv4: address.Addr().Is4()}
	copy(made.address[:], address.Addr().AsSlice())
	return made
}

// TestIPv4HeaderChecksum compares with RFC 1071 the slow way, for every length of a header and every bit.
func TestIPv4HeaderChecksum(t *testing.T) {
	for words := 5; words <= 15; words++ {
		header := bytes.Repeat([]byte{0xff, 0x80, 0x01, 0xfe}, words)
		binary.BigEndian.PutUint16(header[10:], 0)
		binary.BigEndian.PutUint16(header[10:], referenceChecksum(header))
		if !headerFits(header) {
			t.Errorf("%d words: refused", words)
		}
		for bit := range len(header) * 8 {
			header[bit/8] ^= 1 << (bit % 8)
			if headerFits(header) != (referenceChecksum(header) == 0) {
				t.Errorf("%d words, bit %d wrong: %t", words, bit, headerFits(header))
			}
			header[bit/8] ^= 1 << (bit % 8)
		}
	}
}

// TestEveryPayloadLengthIsVerified covers odd and even lengths, where the last byte of the checksum differs.
func TestEveryPayloadLengthIsVerified(t *testing.T) {
	payload := bytes.Repeat([]byte{0xff, 0x80, 0x01}, 500)
	var parsed datagram
	for length := range len(payload) + 1 {
		for _, base := range []builder{to4(1), to6(65535)} {
			frame := base.frame(payload[:length])
			problem := parsed.parse(frame, true)
			if problem != noCause || parsed.length != length {
				t.Fatalf("%d bytes to %s: cause %d, length %d", length, base.to, problem, parsed.length)
			}
			if length > 0 {
				frame[len(frame)-1] ^= 0x40
				if problem := parsed.parse(frame, true); problem != badChecksum {
					t.Fatalf("%d bytes to %s, one bit wrong: cause %d", length, base.to, problem)
				}
			}
		}
	}
}

// FuzzParseFrame finds a frame that leads outside itself.
func FuzzParseFrame(f *testing.F) {
	for _, base := range []builder{to4(514), to6(514)} {
		for _, tags := range [][]uint16{nil, {typeVLAN}, {typeQinQ, typeVLAN}} {
			base.tags, base.options = tags, len(tags)
			f.Add(base.frame([]byte("payload")))
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		for _, verify := range []bool{false, true} {
			var parsed datagram
			problem := parsed.parse(frame, verify)
			if problem == noCause && (parsed.offset < 42 || parsed.length < 0 || parsed.offset+parsed.length > len(frame)) {
				t.Errorf("payload at %d of %d bytes in a frame of %d", parsed.offset, parsed.length, len(frame))
			}
		}
	})
}
