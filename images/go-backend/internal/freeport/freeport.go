// Package freeport gives tests an address for a server that is told its port and cannot be asked for it.
package freeport

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The kernel takes ports for outgoing connections, and for listeners on port 0, above these: in the moment until the
// server listens nobody else gets one.
const first, count = 10_000, 20_000

// Address is one of the loopback interface on whose port nobody listens, neither by TCP nor by UDP.
func Address(t testing.TB) string {
	t.Helper()
	for range count {
		address := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(count))
		if free(address) {
			return address
		}
	}
	t.Fatal("every port is in use")
	return ""
}

func free(address string) bool {
	stream, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer stream.Close()
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	datagrams.Close()
	return true
}
