package xdp

import "encoding/binary"

// reference classifies a packet as bpf/counters.c shall: written on its own from the RFCs, on slices.
func reference(packet []byte) string {
	if len(packet) < 14 {
		return "other"
	}
	etherType, rest := binary.BigEndian.Uint16(packet[12:]), packet[14:]
	for tags := 0; tags < 2 && (etherType == typeVLAN || etherType == typeQinQ); tags++ {
		if len(rest) < 4 {
			return "other"
		}
		etherType, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch etherType {
	case typeIPv4:
		return referenceIPv4(rest)
	case typeIPv6:
		return referenceIPv6(rest)
	case typeARP:
		return "arp"
	}
	return "other"
}

func referenceIPv4(header []byte) string {
	if len(header) < 20 || header[0]>>4 != 4 || header[0]&15 < 5 {
		return "other_ip"
	}
	return name(header[9], map[byte]string{1: "icmp", 6: "tcp", 17: "udp"})
}

func referenceIPv6(header []byte) string {
	if len(header) < 40 || header[0]>>4 != 6 {
		return "other_ip"
	}
	next, rest := header[6], header[40:]
	for walked := 0; walked < 8 && isExtension(next); walked++ {
		if len(rest) < 2 || next == 44 && len(rest) < 8 {
			return "other_ip"
		}
		length := (int(rest[1]) + 1) * 8
		switch next {
		case 44:
			if binary.BigEndian.Uint16(rest[2:])>>3 != 0 {
				return name(rest[0], ipv6Names)
			}
			length = 8
		case 51:
			length = (int(rest[1]) + 2) * 4
		}
		next, rest = rest[0], rest[min(length, len(rest)):]
	}
	return name(next, ipv6Names)
}

var ipv6Names = map[byte]string{6: "tcp", 17: "udp", 58: "icmpv6"}

func isExtension(protocol byte) bool {
	switch protocol {
	case 0, 43, 44, 51, 60, 135:
		return true
	}
	return false
}

func name(protocol byte, names map[byte]string) string {
	if known, ok := names[protocol]; ok {
		return known
	}
	return "other_ip"
}
