package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"goldm/internal/testbed"
)

// way is a way for programs to reach the client's display.
type way struct {
	name  string
	shell *shell
	close func() // what there is besides the shell; may be nil
	dead  bool   // has failed, and is left out from then on
}

// failed takes a failure of a competitor for its answer, and says so; one of
// ours, or of everybody's ground, ends the measurement.
func (w *way) failed(err error) error {
	if err == nil || contains([]string{ours, direct, accelerated, local}, w.name) {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %s is left out from here on: %v\n", self, w.name, err)
	w.dead = true
	return nil
}

// alive are the ways that have not failed.
func alive(ways []*way) []*way {
	return slices.DeleteFunc(slices.Clone(ways), func(w *way) bool { return w.dead })
}

// The names of the ways, as in the tables.
const (
	local  = "local"
	tcp    = "TCP"
	ssh    = "ssh -Y"
	sshC   = "ssh -YC"
	nx     = "nxagent"
	ours   = "goldm"
	direct = "goldm direct"

	accelerated = "accelerated"
)

// comparison is a ratio of two ways that has a target.
type comparison struct{ our, their string }

func (c comparison) String() string { return c.our + " : " + c.their }

var (
	faster  = []comparison{{ours, ssh}, {direct, tcp}, {accelerated, ssh}} // of times and rates
	smaller = []comparison{{accelerated, sshC}}                            // of bytes and processor time
)

// openings open each way, in the order of the tables.
var openings = []struct {
	name string
	open func(*lab, context.Context) (*way, error)
}{
	{local, func(l *lab, ctx context.Context) (*way, error) { return l.wayOf(ctx, "dbus-run-session", "--", "sh") }},
	{tcp, func(l *lab, ctx context.Context) (*way, error) {
		return l.wayOf(ctx, "ssh", target, "DISPLAY="+l.Client.Address().String()+display+" "+remoteShell)
	}},
	{ssh, func(l *lab, ctx context.Context) (*way, error) { return l.wayOf(ctx, "ssh", "-Y", target, remoteShell) }},
	{sshC, func(l *lab, ctx context.Context) (*way, error) {
		return l.wayOf(ctx, "ssh", "-YC", target, remoteShell)
	}},
	{nx, (*lab).openNX},
	{ours, func(l *lab, ctx context.Context) (*way, error) {
		return l.wayOf(ctx, "ldm-session", "--no-sound", "--x11", "forwarded", target, "--", remoteShell)
	}},
	{direct, func(l *lab, ctx context.Context) (*way, error) {
		return l.wayOf(ctx, "ldm-session", "--no-sound", "--x11", "direct", target, "--", remoteShell)
	}},
	{accelerated, (*lab).openAccelerated},
}

// remoteShell is a shell with a session bus, as programs of a desktop have one.
const remoteShell = "exec dbus-run-session -- sh"

// transports are the programs that the ways consist of.
var transports = []string{"ssh", "sshd", "sshd-session", "nxproxy", "nxagent", "ldm-session", "ltsp-server-agent", "ltsp-session-keeper"}

func (l *lab) wayOf(ctx context.Context, argv ...string) (*way, error) {
	s, err := newShell(l.asClient(ctx, argv...))
	if err != nil {
		return nil, err
	}
	return &way{shell: s}, nil
}

// openAccelerated makes sure that it is: where that fails, programs are forwarded.
func (l *lab) openAccelerated(ctx context.Context) (*way, error) {
	w, err := l.wayOf(ctx, "ldm-session", "--no-sound", "--x11", "accelerated", target, "--", remoteShell)
	if err != nil {
		return nil, err
	}
	name, err := w.shell.run(ctx, "echo $DISPLAY")
	if err == nil && !strings.HasPrefix(name, ":") {
		err = fmt.Errorf("the display is %s: that is forwarding", name)
	}
	if err != nil {
		return nil, errors.Join(err, w.shell.end())
	}
	return w, nil
}

// openNX starts nxagent on the server and nxproxy on the client, and a shell on
// nxagent's display. What they send each other goes over TCP as it is.
func (l *lab) openNX(ctx context.Context) (*way, error) {
	const port = "4050"
	ctx, cancel := context.WithCancel(ctx)
	agent := l.Server.Command(ctx, serverUser, "nxagent", "-R", "-norootlessexit", "-noreset", "-ac", "-nolisten", "tcp", "-name", "bench", ":"+nxNumber)
	agent.Env = append(agent.Env, "DISPLAY=nx/nx,link=adsl,listen="+port+",accept="+l.Client.Address().String()+":"+nxNumber)
	proxy := l.asClient(ctx, "nxproxy", "-S", "nx/nx,link=adsl,connect="+l.Server.Address().String()+",port="+port+":"+nxNumber)
	var complaint complaints
	agent.Stderr, proxy.Stderr = &complaint, &complaint
	stop := func() {
		cancel()
		for _, c := range []*testbed.Cmd{agent, proxy} {
			if c.Process != nil {
				c.Wait()
			}
		}
	}
	err := agent.Start()
	if err == nil {
		err = until(ctx, "nxagent listens", func() bool { return l.listens(ctx, port) })
	}
	if err == nil {
		err = proxy.Start()
	}
	if err == nil {
		err = until(ctx, "nxagent's display is up", func() bool { _, err := l.Server.Stat("/tmp/.X11-unix/X" + nxNumber); return err == nil })
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("%w: %s", err, complaint.said.String())
	}
	w, err := l.wayOf(ctx, "ssh", target, "DISPLAY=:"+nxNumber+" "+remoteShell)
	if err != nil {
		stop()
		return nil, err
	}
	w.close = stop
	return w, nil
}

// listens tells whether something on the server does on a port.
func (l *lab) listens(ctx context.Context, port string) bool {
	out, err := l.Server.Output(ctx, "ss", "-Hltn", "sport = :"+port)
	return err == nil && strings.Contains(out, ":"+port)
}

// open opens ways, each with its shell ready.
func (l *lab) open(ctx context.Context, names ...string) (ways []*way, err error) {
	for _, o := range openings {
		if len(names) > 0 && !contains(names, o.name) {
			continue
		}
		w, err := o.open(l, ctx)
		if err == nil {
			w.name = o.name
			ways = append(ways, w)
			_, err = w.shell.run(ctx, ":")
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", o.name, err), closeAll(ways))
		}
	}
	return ways, nil
}

func closeAll(ways []*way) error {
	var errs []error
	for _, w := range ways {
		errs = append(errs, w.shell.end())
		if w.close != nil {
			w.close()
		}
	}
	return errors.Join(errs...)
}
