package xdp

import (
	"encoding/binary"
	"slices"
)

// Building blocks of test packets. Every packet is padded to the 14 bytes that PROG_TEST_RUN demands.

const (
	typeIPv4 = 0x0800
	typeARP  = 0x0806
	typeIPv6 = 0x86dd
	typeVLAN = 0x8100
	typeQinQ = 0x88a8
)

func ethernet(etherType uint16, payload ...[]byte) []byte {
	header := make([]byte, 12, 14)
	header[0], header[6] = 0x02, 0x06
	header = binary.BigEndian.AppendUint16(header, etherType)
	return slices.Concat(header, slices.Concat(payload...))
}

func vlan(id, etherType uint16) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, id), etherType)
}

func ipv4(protocol byte) []byte {
	header := make([]byte, 20)
	header[0], header[8], header[9] = 0x45, 64, protocol
	return header
}

func ipv6(next byte) []byte {
	header := make([]byte, 40)
	header[0], header[6], header[7] = 0x60, next, 64
	return header
}

// extension is an IPv6 extension header of (units + 1) * 8 bytes.
func extension(next, units byte) []byte {
	header := make([]byte, (int(units)+1)*8)
	header[0], header[1] = next, units
	return header
}

// authentication is an AH of (words + 2) * 4 bytes.
func authentication(next, words byte) []byte {
	header := make([]byte, (int(words)+2)*4)
	header[0], header[1] = next, words
	return header
}

// fragment is an IPv6 fragment header; offset in units of 8 bytes.
func fragment(next byte, offset uint16) []byte {
	header := make([]byte, 8)
	header[0] = next
	binary.BigEndian.PutUint16(header[2:], offset<<3|1)
	return header
}
