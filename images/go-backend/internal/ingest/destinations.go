package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"triptych.dev/go-backend/internal/xdp"
)

// resync repairs what a lost netlink message left.
const resync = 30 * time.Second

// destinations keeps the program's map of destinations equal to ports times the node's own addresses.
type destinations struct {
	streams []*stream
	maps    xdp.IngestMaps
	handle  *netlink.Handle
	updates chan netlink.AddrUpdate
	done    chan struct{}
	ended   chan struct{}
	present map[netip.Addr]bool
}

// followAddresses fills the map and keeps it up to date, in the calling thread's network namespace.
func followAddresses(streams []*stream, maps xdp.IngestMaps) (*destinations, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	made := &destinations{
		streams: streams, maps: maps, handle: handle, updates: make(chan netlink.AddrUpdate, 64),
		done: make(chan struct{}), ended: make(chan struct{}), present: make(map[netip.Addr]bool),
	}
	// Subscribed before the first look, so that no change is lost in between.
	if err := netlink.AddrSubscribe(made.updates, made.done); err != nil {
		handle.Close()
		return nil, fmt.Errorf("follow addresses: %w", err)
	}
	err = made.sync()
	go made.follow()
	if err != nil {
		return nil, errors.Join(err, made.close())
	}
	return made, nil
}

func (d *destinations) follow() {
	defer close(d.ended)
	ticker := time.NewTicker(resync)
	defer ticker.Stop()
	updates := d.updates
	for {
		select {
		case <-d.done:
			return
		case <-ticker.C:
		case _, open := <-updates:
			if !open {
				updates = nil // the ticker goes on
				continue
			}
		}
		if err := d.sync(); err != nil {
			slog.Error("ingest addresses", "error", err)
		}
	}
}

// sync changes the map by difference.
func (d *destinations) sync() error {
	found, err := d.addresses()
	if err != nil {
		return err
	}
	return errors.Join(d.change(found), d.maps.Changed(true))
}

func (d *destinations) change(found map[netip.Addr]bool) error {
	for address := range d.present {
		if !found[address] {
			if err := d.apply(address, d.remove); err != nil {
				return err
			}
			delete(d.present, address)
		}
	}
	for address := range found {
		if !d.present[address] {
			if err := d.apply(address, d.add); err != nil {
				return err
			}
			d.present[address] = true
		}
	}
	return nil
}

// addresses of all interfaces: a datagram for one may come in by another.
func (d *destinations) addresses() (map[netip.Addr]bool, error) {
	list, err := d.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	found := make(map[netip.Addr]bool)
	for _, entry := range list {
		if address, ok := netip.AddrFromSlice(entry.IP); ok && !address.IsLoopback() {
			found[address.Unmap()] = true
		}
	}
	return found, nil
}

func (d *destinations) apply(address netip.Addr, change func(xdp.IngestDestination, uint32) error) error {
	for _, stream := range d.streams {
		if err := change(destination(address, stream.port), stream.number); err != nil {
			return fmt.Errorf("ingest of %s port %d stays with its socket: %w", address, stream.port, err)
		}
	}
	return nil
}

func (d *destinations) add(key xdp.IngestDestination, number uint32) error {
	return d.maps.Destinations.Put(key, number)
}

func (d *destinations) remove(key xdp.IngestDestination, _ uint32) error {
	if err := d.maps.Destinations.Delete(key); !errors.Is(err, ebpf.ErrKeyNotExist) {
		return err
	}
	return nil
}

func destination(address netip.Addr, port uint16) xdp.IngestDestination {
	var wire [2]byte
	binary.BigEndian.PutUint16(wire[:], port)
	return xdp.IngestDestination{Address: address.As16(), Port: binary.NativeEndian.Uint16(wire[:])}
}

// close empties the map, so that the program redirects nothing any more.
func (d *destinations) close() error {
	close(d.done)
	<-d.ended
	defer d.handle.Close()
	return errors.Join(d.change(nil), d.maps.Changed(false))
}
