package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/testbed/link"
)

// Config says what the machines are made of. The zero value is of use.
type Config struct {
	// Suite is the Debian release of the tree, "trixie" for one; empty for the
	// release of this host.
	Suite string

	// ServerSuite is the release of the server alone; empty for Suite.
	ServerSuite string

	// ClientPrograms and ServerPrograms are programs of this host that the
	// machine has in /usr/local/bin.
	ClientPrograms, ServerPrograms []string

	// Packages is the text of a list of what the tree has besides, in the format
	// of tree/packages.list; a tree of its own is built for it.
	Packages string

	// Progress gets a line now and then while the tree is being built; nil for
	// standard error.
	Progress io.Writer
}

// Bed is a client and a server on one cable.
type Bed struct {
	Client, Server *Machine

	clientTree, serverTree *tree
	link                   *link.Link // in the cable's place; nil for the cable
}

// New brings both machines up; without a tree in the cache it builds that
// first, which takes a minute or two.
func New(ctx context.Context, c Config) (*Bed, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("two machines on one need root")
	}
	b := new(Bed)
	if err := b.plant(ctx, c); err != nil {
		return nil, fmt.Errorf("debian tree: %w", errors.Join(err, b.Close()))
	}
	if err := b.start(c); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Prepare builds the tree if it is not in the cache.
func Prepare(ctx context.Context, c Config) error {
	b := new(Bed)
	if err := errors.Join(b.plant(ctx, c), b.Close()); err != nil {
		return fmt.Errorf("debian tree: %w", err)
	}
	return nil
}

// plant opens a tree for each machine, which may be the same.
func (b *Bed) plant(ctx context.Context, c Config) (err error) {
	progress := newProgress(c.Progress)
	if b.clientTree, err = openTree(ctx, builder{suite: c.Suite, extra: c.Packages, progress: progress}); err != nil {
		return err
	}
	b.serverTree, err = openTree(ctx, builder{suite: cmp.Or(c.ServerSuite, c.Suite), extra: c.Packages, progress: progress})
	return err
}

func (b *Bed) start(c Config) error {
	var err error
	if b.Client, err = b.newMachine("client", b.clientTree, c.ClientPrograms); err != nil {
		return err
	}
	b.Client.prefix, b.Client.prefix6 = clientAddress, clientAddress6
	if b.Server, err = b.newMachine("server", b.serverTree, c.ServerPrograms); err != nil {
		return err
	}
	b.Server.prefix, b.Server.prefix6 = serverAddress, serverAddress6
	if err := b.connect(); err != nil {
		return err
	}
	return nil
}

func (b *Bed) newMachine(name string, t *tree, programs []string) (*Machine, error) {
	p := plan{Hostname: name, Hosts: hosts(), Tree: t.root, Scratch: t.scratch, Fuse: true}
	for _, program := range programs {
		path, err := filepath.Abs(program)
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w (make build builds it)", err)
		}
		p.Programs = append(p.Programs, path)
	}
	m, err := newMachine(p)
	if err != nil {
		return nil, err
	}
	m.bed = b
	return m, nil
}

// hosts is the text of /etc/hosts on both machines.
func hosts() string {
	var text strings.Builder
	text.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, h := range []struct {
		name    string
		address netip.Prefix
	}{
		{"client", clientAddress}, {"client", clientAddress6},
		{"server", serverAddress}, {"server", serverAddress6},
	} {
		fmt.Fprintf(&text, "%s %s\n", h.address.Addr(), h.name)
	}
	return text.String()
}

// machines returns those that are there.
func (b *Bed) machines() []*Machine {
	var there []*Machine
	for _, m := range []*Machine{b.Client, b.Server} {
		if m != nil {
			there = append(there, m)
		}
	}
	return there
}

// Close ends both machines and returns once nothing of them is left.
func (b *Bed) Close() error {
	var errs []error
	if b.link != nil {
		errs = append(errs, b.link.Close())
	}
	for _, m := range b.machines() {
		errs = append(errs, m.Close())
	}
	for _, t := range []*tree{b.clientTree, b.serverTree} {
		if t != nil {
			errs = append(errs, t.Close())
		}
	}
	return errors.Join(errs...)
}
