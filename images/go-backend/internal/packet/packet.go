// Package packet builds Ethernet frames, right ones and wrong ones, for tests and measurements. Checksums are zero.
package packet

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// EtherTypes.
const (
	TypeIPv4 = 0x0800
	TypeARP  = 0x0806
	TypeVLAN = 0x8100
	TypeQinQ = 0x88a8
	TypeIPv6 = 0x86dd
)

// IP protocol numbers.
const (
	ProtocolICMP     = 1
	ProtocolTCP      = 6
	ProtocolUDP      = 17
	ProtocolFragment = 44
	ProtocolICMPv6   = 58
)

// TCP flags.
const (
	FlagSYN = 0x02
	FlagRST = 0x04
	FlagACK = 0x10
)

// Ethernet is a frame of 14 bytes and the payload.
func Ethernet(etherType uint16, payload ...[]byte) []byte {
	header := make([]byte, 12, 14)
	header[0], header[6] = 0x02, 0x06
	header = binary.BigEndian.AppendUint16(header, etherType)
	return slices.Concat(header, slices.Concat(payload...))
}

// VLAN is the part of a tag behind its own EtherType.
func VLAN(id, etherType uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), etherType)
}

// IPv4 is a packet whose total length is right; options are padded to words.
func IPv4(source netip.Addr, protocol byte, payload ...[]byte) []byte {
	return IPv4Options(source, protocol, nil, payload...)
}

// IPv4Options is IPv4 with options.
func IPv4Options(source netip.Addr, protocol byte, options []byte, payload ...[]byte) []byte {
	words := 5 + (len(options)+3)/4
	header := make([]byte, words*4)
	copy(header[20:], options)
	body := slices.Concat(payload...)
	header[0], header[8], header[9] = 0x40|byte(words), 64, protocol
	binary.BigEndian.PutUint16(header[2:], uint16(len(header)+len(body)))
	copy(header[12:], source.AsSlice())
	copy(header[16:], []byte{192, 0, 2, 1})
	return append(header, body...)
}

// IPv4Fragment turns an IPv4 packet into a fragment; offset in units of 8 bytes.
func IPv4Fragment(offset uint16, more bool, packet []byte) []byte {
	packet = slices.Clone(packet)
	if more {
		offset |= 0x2000
	}
	binary.BigEndian.PutUint16(packet[6:], offset)
	return packet
}

// IPv6 is a packet whose payload length is right.
func IPv6(source netip.Addr, next byte, payload ...[]byte) []byte {
	header := make([]byte, 40)
	body := slices.Concat(payload...)
	header[0], header[6], header[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(header[4:], uint16(len(body)))
	copy(header[8:], source.AsSlice())
	copy(header[24:], netip.MustParseAddr("2001:db8:ffff::1").AsSlice())
	return append(header, body...)
}

// UDP is a header and a payload.
func UDP(source, destination uint16, payload ...byte) []byte {
	header := make([]byte, 8)
	binary.BigEndian.PutUint16(header, source)
	binary.BigEndian.PutUint16(header[2:], destination)
	binary.BigEndian.PutUint16(header[4:], uint16(8+len(payload)))
	return append(header, payload...)
}

// TCP is a header without options.
func TCP(source, destination uint16, flags byte) []byte {
	header := make([]byte, 20)
	binary.BigEndian.PutUint16(header, source)
	binary.BigEndian.PutUint16(header[2:], destination)
	header[12], header[13] = 5<<4, flags
	return header
}

// ICMPv6 is a message with a body of 20 bytes.
func ICMPv6(kind byte) []byte {
	message := make([]byte, 24)
	message[0] = kind
	return message
}

// Extension is an IPv6 extension header of (units + 1) * 8 bytes.
func Extension(next, units byte) []byte {
	header := make([]byte, (int(units)+1)*8)
	header[0], header[1] = next, units
	return header
}

// Authentication is an AH of (words + 2) * 4 bytes.
func Authentication(next, words byte) []byte {
	header := make([]byte, (int(words)+2)*4)
	header[0], header[1] = next, words
	return header
}

// Fragment is an IPv6 fragment header; offset in units of 8 bytes.
func Fragment(next byte, offset uint16, more bool) []byte {
	header := make([]byte, 8)
	header[0] = next
	offset <<= 3
	if more {
		offset |= 1
	}
	binary.BigEndian.PutUint16(header[2:], offset)
	return header
}
