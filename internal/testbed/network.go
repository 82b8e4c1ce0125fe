package testbed

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The machines' addresses: of the network that RFC 5737 keeps for examples, and
// of a unique local one (RFC 4193).
var (
	clientAddress  = netip.MustParsePrefix("192.0.2.10/24")
	serverAddress  = netip.MustParsePrefix("192.0.2.1/24")
	clientAddress6 = netip.MustParsePrefix("fd67:6f6c:646d::10/64")
	serverAddress6 = netip.MustParsePrefix("fd67:6f6c:646d::1/64")
)

const cableEnd = "eth0" // the interface's name on both machines

// connect lays the cable. It is made inside the client with its other end
// inside the server, so that it never lies about on the host.
func (b *Bed) connect() error {
	server, err := os.Open(b.Server.namespace("net"))
	if err != nil {
		return err
	}
	defer server.Close()
	err = b.Client.netlinkBare(func(h *netlink.Handle) error {
		cable := netlink.NewVeth(netlink.LinkAttrs{Name: cableEnd})
		cable.PeerName = cableEnd
		cable.PeerNamespace = netlink.NsFd(server.Fd())
		if err := h.LinkAdd(cable); err != nil {
			return fmt.Errorf("add a veth pair: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.Restore()
}

// configure gives the machine's interfaces their addresses and brings them up.
func (m *Machine) configure() error {
	return m.netlink(func(h *netlink.Handle, eth netlink.Link) error {
		for _, prefix := range []netip.Prefix{m.prefix, m.prefix6} {
			address := &netlink.Addr{IPNet: ipNet(prefix)}
			if err := h.AddrReplace(eth, address); err != nil {
				return fmt.Errorf("set address %s: %w", prefix, err)
			}
		}
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		m.hardware = eth.Attrs().HardwareAddr
		return errors.Join(h.LinkSetUp(lo), h.LinkSetUp(eth))
	})
}

// netlink calls f with a handle on the machine's network and its cable's end.
func (m *Machine) netlink(f func(*netlink.Handle, netlink.Link) error) error {
	return m.netlinkBare(func(h *netlink.Handle) error {
		eth, err := h.LinkByName(cableEnd)
		if err != nil {
			return err
		}
		return f(h, eth)
	})
}

func (m *Machine) netlinkBare(f func(*netlink.Handle) error) error {
	ns, err := netns.GetFromPath(m.namespace("net"))
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := f(h); err != nil {
		return fmt.Errorf("network of %s: %w", m.Name, err)
	}
	return nil
}

// nowhere is a hardware address that no interface has.
var nowhere = net.HardwareAddr{0x02, 0, 0, 0, 0, 0x01}

// Lose lets everything that the machines send each other get lost without a
// word, as a dead switch would, until Restore: each has a wrong hardware
// address for the other, which the other's interface drops.
func (b *Bed) Lose() error {
	return b.eachNeighbour(func(n *netlink.Neigh, _ *Machine) {
		n.State, n.HardwareAddr = netlink.NUD_PERMANENT, nowhere
	})
}

// Unplug pulls the cable, which both machines notice, until Restore.
func (b *Bed) Unplug() error {
	for _, m := range b.machines() {
		err := m.netlink(func(h *netlink.Handle, eth netlink.Link) error { return h.LinkSetDown(eth) })
		if err != nil {
			return err
		}
	}
	return nil
}

// Restore undoes Lose and Unplug; it also is what first brings the cable up.
func (b *Bed) Restore() error {
	for _, m := range b.machines() {
		if err := m.configure(); err != nil { // an IPv6 address goes with its link
			return err
		}
	}
	// They would find each other by themselves, but by IPv6 only after a second.
	return b.eachNeighbour(func(n *netlink.Neigh, other *Machine) {
		n.State, n.HardwareAddr = netlink.NUD_REACHABLE, other.hardware
	})
}

// eachNeighbour sets what each machine knows about each address of the other.
func (b *Bed) eachNeighbour(fill func(n *netlink.Neigh, other *Machine)) error {
	for m, other := range map[*Machine]*Machine{b.Client: b.Server, b.Server: b.Client} {
		err := m.netlink(func(h *netlink.Handle, eth netlink.Link) error {
			for _, prefix := range []netip.Prefix{other.prefix, other.prefix6} {
				n := &netlink.Neigh{LinkIndex: eth.Attrs().Index, IP: prefix.Addr().AsSlice()}
				fill(n, other)
				if err := h.NeighSet(n); err != nil {
					return fmt.Errorf("neighbour %s: %w", n.IP, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
