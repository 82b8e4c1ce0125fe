package testbed

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Dial connects to an address as a program on the machine would: "tcp" and its
// like with the names of the two machines, or "unix".
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return m.DialAs(ctx, 0, 0, network, address)
}

// DialAs is Dial for a user and a group, which a Unix socket's other side sees
// (SO_PEERCRED).
func (m *Machine) DialAs(ctx context.Context, uid, gid int, network, address string) (net.Conn, error) {
	address = m.bed.resolve(address)
	var conn net.Conn
	err := m.inside(func() error {
		if uid != 0 || gid != 0 {
			if err := setThreadIDs(uid, gid); err != nil {
				return err
			}
		}
		var err error
		// No second address family is tried: it would be on another thread.
		conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("from %s: %w", m.Name, err)
	}
	return conn, nil
}

// Listen listens on an address of the machine. Any user may connect to a Unix
// socket of it.
func (m *Machine) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	address = m.bed.resolve(address)
	var listener net.Listener
	err := m.inside(func() error {
		unix.Umask(0) // of this thread alone, since it shares no working directory
		var err error
		listener, err = new(net.ListenConfig).Listen(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("on %s: %w", m.Name, err)
	}
	if socket, ok := listener.(*net.UnixListener); ok {
		socket.SetUnlinkOnClose(false) // the path is not ours out here
	}
	return listener, nil
}

// inside calls f in the machine's network and on its files.
func (m *Machine) inside(f func() error) error {
	return onThread(func() error {
		if err := enterNamespaces(m.first.Process.Pid, "net", "mnt"); err != nil {
			return err
		}
		return f()
	})
}

// resolve puts addresses in place of the machines' names.
func (b *Bed) resolve(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	for _, m := range b.machines() {
		if host == m.Name {
			return net.JoinHostPort(m.Address().String(), port)
		}
	}
	return address
}
