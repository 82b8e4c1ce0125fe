package testbed

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"goldm/internal/testbed/link"
)

const (
	lineEnd  = "line0" // the interface's name on both machines
	vnetHead = 10      // bytes of a virtio_net_hdr, which go before each packet
)

// Lengthen takes the cable away and has the machines on a link of that shape
// instead, with the same addresses, for good; called again it changes the shape.
// There is no Lose, Unplug and Restore then.
func (b *Bed) Lengthen(shape link.Shape) error {
	if b.link == nil {
		if err := b.replaceCable(shape); err != nil {
			return err
		}
	}
	for _, m := range b.machines() {
		if err := m.limitPackets(shape.Rate); err != nil {
			return err
		}
	}
	b.link.Set(shape)
	return nil
}

// Count returns what the client and the server have sent each other over the
// link so far.
func (b *Bed) Count() (client, server link.Traffic) { return b.link.Count() }

func (b *Bed) replaceCable(shape link.Shape) error {
	err := b.Client.netlink(func(h *netlink.Handle, eth netlink.Link) error {
		return h.LinkDel(eth) // its other end goes with it
	})
	if err != nil {
		return err
	}
	var devices [2]*os.File
	for i, m := range b.machines() {
		if devices[i], err = m.openLine(); err == nil {
			err = m.configureLine()
		}
		if err != nil {
			return fmt.Errorf("line of %s: %w", m.Name, err)
		}
	}
	b.link, err = link.New(link.Config{A: devices[0], B: devices[1], Head: vnetHead, Shape: shape})
	return err
}

// openLine makes a TUN device in the machine's network. Its packets come whole,
// up to 64 KiB, as a network card of today takes them: cutting them up costs
// more than all the rest. Nothing of the device is left when it is closed.
func (m *Machine) openLine() (*os.File, error) {
	fd := -1
	err := onThread(func() error {
		ns, err := os.Open(m.namespace("net"))
		if err != nil {
			return err
		}
		defer ns.Close()
		// The device belongs to the network of the thread that opens it.
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return err
		}
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0); err != nil {
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		request, err := unix.NewIfreq(lineEnd)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return fmt.Errorf("make a TUN device: %w", err)
		}
		return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4|unix.TUN_F_TSO6)
	})
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), lineEnd), nil
}

// configureLine gives the machine's end of the line its addresses.
func (m *Machine) configureLine() error {
	return m.line(func(h *netlink.Handle, line netlink.Link) error {
		for _, prefix := range []netip.Prefix{m.prefix, m.prefix6} {
			if err := h.AddrReplace(line, &netlink.Addr{IPNet: ipNet(prefix)}); err != nil {
				return fmt.Errorf("set address %s: %w", prefix, err)
			}
		}
		return h.LinkSetUp(line)
	})
}

// limitPackets has packets be no longer than what the line takes in a
// millisecond: one that keeps it busy for longer would delay all others.
func (m *Machine) limitPackets(rate int64) error {
	const shortest, longest = 1500, 64<<10 - 1
	size := int64(longest)
	if rate > 0 {
		size = min(max(rate/8/1000, shortest), longest)
	}
	return m.line(func(h *netlink.Handle, line netlink.Link) error { return h.LinkSetGSOMaxSize(line, int(size)) })
}

func (m *Machine) line(f func(*netlink.Handle, netlink.Link) error) error {
	return m.netlinkBare(func(h *netlink.Handle) error {
		line, err := h.LinkByName(lineEnd)
		if err != nil {
			return err
		}
		return f(h, line)
	})
}
