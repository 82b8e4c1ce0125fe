package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"goldm/internal/testbed"
	"goldm/internal/testbed/link"
)

const (
	limit = time.Minute // for what comes soon unless something is broken

	serverUser = "anna"
	clientUser = "carl"
	target     = serverUser + "@server"

	display  = ":7" // the client's, which also listens on TCP
	self     = "goldm-bench"
	nxNumber = "50" // nxagent's display on the server
)

// lab is two machines with everything that is measured installed.
type lab struct {
	*testbed.Bed
	options
	screen *screen
	stop   context.CancelFunc // of what runs on the machines
}

//go:embed packages.list
var packagesList string

func newLab(ctx context.Context, o options) (*lab, error) {
	bed, err := testbed.New(ctx, testbed.Config{
		Packages:       packagesList,
		ClientPrograms: o.programs("ldm", "ldm-session", self),
		ServerPrograms: o.programs("ltsp-server-agent", "ltsp-session-agent", self),
	})
	if err != nil {
		return nil, err
	}
	l := &lab{Bed: bed, options: o}
	ctx, l.stop = context.WithCancel(ctx)
	for _, step := range []func(context.Context) error{l.addUsers, l.startDisplay, l.startServer} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

func (o options) programs(names ...string) []string {
	for i, name := range names {
		names[i] = filepath.Join(o.bin, name)
	}
	return names
}

// addUsers makes a person with an account on each machine, whose key opens the
// server's.
func (l *lab) addUsers(ctx context.Context) error {
	err := errors.Join(
		l.Client.AddSystemUsers(ctx, "_ldm-greeter", "_ldm-session", "_ldm-probe", "_ldm-filter", "_ldm-x"),
		l.Client.AddUser(ctx, clientUser, password),
		l.Server.AddUser(ctx, serverUser, password),
	)
	if err != nil {
		return err
	}
	if _, err := l.asClient(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/home/"+clientUser+"/.ssh/id_ed25519").Output(); err != nil {
		return err
	}
	key, err := l.Client.ReadFile("/home/" + clientUser + "/.ssh/id_ed25519.pub")
	if err != nil {
		return err
	}
	write := l.Server.Command(ctx, serverUser, "sh", "-c", "mkdir -m 700 -p .ssh && cat > .ssh/authorized_keys")
	write.Stdin = bytes.NewReader(key)
	return write.Run()
}

const password = "a long password"

// startDisplay starts the client's X server, and manages its windows.
func (l *lab) startDisplay(ctx context.Context) error {
	if _, err := l.startX(ctx, display); err != nil {
		return err
	}
	conn, err := l.Client.Dial(ctx, "unix", socketOf(display))
	if err != nil {
		return err
	}
	l.screen, err = manage(conn)
	return err
}

// startX starts an X server on the client, and returns when it is up.
func (l *lab) startX(ctx context.Context, name string) (*testbed.Cmd, error) {
	// Without a cookie ours shows no display directly.
	if _, err := l.asClient(ctx, "xauth", "-q", "add", name, ".", "00112233445566778899aabbccddeeff").Output(); err != nil {
		return nil, err
	}
	// Without access control, since the competition has no cookie: nothing but
	// the two machines is on their network.
	x := l.asClient(ctx, "Xvfb", name, "-screen", "0", "1280x800x24", "-noreset", "-listen", "tcp", "-ac")
	if err := x.Start(); err != nil {
		return nil, err
	}
	return x, until(ctx, name+" is up", func() bool { _, err := l.Client.Stat(socketOf(name)); return err == nil })
}

func socketOf(display string) string { return "/tmp/.X11-unix/X" + strings.TrimPrefix(display, ":") }

func (l *lab) startServer(ctx context.Context) error {
	if _, err := l.Server.StartSSHD(ctx, testbed.SSHDOptions{}); err != nil {
		return err
	}
	return l.Trust()
}

// shape puts a link of a setting between the machines.
func (l *lab) shape(s setting) error {
	return l.Lengthen(link.Shape{Delay: s.rtt / 2, Rate: int64(s.mbit) * 1_000_000})
}

// asClient is a command of the person at the client, on its display.
func (l *lab) asClient(ctx context.Context, argv ...string) *testbed.Cmd {
	c := l.Client.Command(ctx, clientUser, argv...)
	c.Env = append(c.Env, "DISPLAY="+display)
	return c
}

// Close ends both machines.
func (l *lab) Close() error {
	l.stop()
	if l.screen != nil {
		l.screen.close()
	}
	return l.Bed.Close()
}

// until waits for what no event announces.
func until(ctx context.Context, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s", limit, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
