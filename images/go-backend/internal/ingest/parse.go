package ingest

import "encoding/binary"

const (
	typeOffset     = 12 // of the EtherType; the addresses before it are overwritten by bpf/ingest.h
	typeIPv4       = 0x0800
	typeIPv6       = 0x86dd
	typeVLAN       = 0x8100
	typeQinQ       = 0x88a8
	maxVLANTags    = 2
	protocolUDP    = 17
	ipv4Header     = 20
	ipv6Header     = 40
	udpHeader      = 8
	fragmentMask   = 0x3fff
	protocolOffset = 9
)

// datagram is what a frame holds.
type datagram struct {
	source        endpoint
	port          uint16 // destination
	offset        int    // of the payload in the frame
	length        int    // of the payload
	addresses     []byte // source and destination
	checksum      uint16
	transportFrom int
}

// endpoint is a sender; without a pointer, so that records of slots are nothing to the garbage collector.
type endpoint struct {
	address [16]byte // IPv4 in the first four bytes
	port    uint16
	isIPv4  bool
}

// bytes are those of the address, 4 or 16, in place.
func (e *endpoint) bytes() []byte {
	if e.isIPv4 {
		return e.address[:4]
	}
	return e.address[:]
}

// parse finds the UDP datagram in an Ethernet frame with at most two VLAN tags: IPv4 without fragmentation, or IPv6
// without extension headers. Headers are believed only where they fit in the frame and into each other. The checksum of
// the IPv4 header is always verified: it is complete in every frame. That of UDP is verified on demand only: a datagram
// from this machine, or one whose NIC verified it, need not carry a valid one.
func (d *datagram) parse(frame []byte, verifyUDP bool) cause {
	d.port = 0
	etherType, rest := tagged(frame)
	var transport []byte
	var problem cause
	switch etherType {
	case typeIPv4:
		transport, problem = d.parseIPv4(rest)
	case typeIPv6:
		transport, problem = d.parseIPv6(rest)
	}
	if transport == nil {
		return malformed
	}
	d.transportFrom += len(frame) - len(rest)
	if transportProblem := d.parseUDP(transport); problem == noCause {
		problem = transportProblem
	}
	if problem == noCause && verifyUDP && !d.checksumFits(transport) {
		problem = badChecksum
	}
	return problem
}

// tagged walks the VLAN tags and returns what they wrap, with its type.
func tagged(frame []byte) (etherType uint16, rest []byte) {
	for offset := typeOffset; offset <= typeOffset+4*maxVLANTags && len(frame) >= offset+2; offset += 4 {
		etherType = binary.BigEndian.Uint16(frame[offset:])
		if etherType != typeVLAN && etherType != typeQinQ {
			return etherType, frame[offset+2:]
		}
	}
	return 0, nil
}

// parseIPv4 returns the transport's bytes; nil where the header does not lead to any.
func (d *datagram) parseIPv4(packet []byte) ([]byte, cause) {
	if len(packet) < ipv4Header || packet[0]>>4 != 4 {
		return nil, malformed
	}
	header, total := int(packet[0]&15)*4, int(binary.BigEndian.Uint16(packet[2:]))
	fragment := binary.BigEndian.Uint16(packet[6:]) & fragmentMask
	if header < ipv4Header || len(packet) < header || packet[protocolOffset] != protocolUDP || fragment != 0 {
		return nil, malformed
	}
	d.source.isIPv4 = true
	copy(d.source.address[:4], packet[12:16])
	d.addresses = packet[12:20]
	d.transportFrom = header
	if total < header || total > len(packet) {
		return packet[header:], malformed
	}
	if !headerFits(packet[:header]) {
		return packet[header:total], badChecksum
	}
	return packet[header:total], noCause
}

func (d *datagram) parseIPv6(packet []byte) ([]byte, cause) {
	if len(packet) < ipv6Header || packet[0]>>4 != 6 || packet[6] != protocolUDP {
		return nil, malformed
	}
	d.source.isIPv4 = false
	copy(d.source.address[:], packet[8:24])
	d.addresses = packet[8:40]
	d.transportFrom = ipv6Header
	total := ipv6Header + int(binary.BigEndian.Uint16(packet[4:]))
	if total > len(packet) {
		return packet[ipv6Header:], malformed
	}
	return packet[ipv6Header:total], noCause
}

func (d *datagram) parseUDP(transport []byte) cause {
	if len(transport) < udpHeader {
		return malformed
	}
	length := int(binary.BigEndian.Uint16(transport[4:]))
	d.source.port = binary.BigEndian.Uint16(transport)
	d.port = binary.BigEndian.Uint16(transport[2:])
	d.checksum = binary.BigEndian.Uint16(transport[6:])
	if length < udpHeader || length > len(transport) {
		return malformed
	}
	d.offset, d.length = d.transportFrom+udpHeader, length-udpHeader
	return noCause
}

// checksumFits is true, too, for a datagram over IPv4 that has no checksum; over IPv6 it must have one.
func (d *datagram) checksumFits(transport []byte) bool {
	if d.checksum == 0 {
		return d.source.isIPv4
	}
	length := d.length + udpHeader
	pseudoHeader := sum(d.addresses, protocolUDP+uint32(length))
	return fold(sum(transport[:length], pseudoHeader)) == 0xffff
}

// headerFits verifies the checksum of an IPv4 header, which is whole words long; their byte order does not matter to it.
func headerFits(header []byte) bool {
	var total uint64
	for ; len(header) >= 4; header = header[4:] {
		total += uint64(binary.NativeEndian.Uint32(header))
	}
	return fold(uint32(total>>32+total&0xffffffff)) == 0xffff
}

// sum adds 16-bit words; 64 KiB do not overflow it.
func sum(data []byte, start uint32) uint32 {
	for ; len(data) >= 2; data = data[2:] {
		start += uint32(data[0])<<8 | uint32(data[1])
	}
	if len(data) == 1 {
		start += uint32(data[0]) << 8
	}
	return start
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
