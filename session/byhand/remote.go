package byhand

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"time"

	"goldm/internal/cli"
	"goldm/internal/failure"
	"goldm/internal/text"
	"goldm/session"
	"goldm/session/desktop"
	"goldm/session/far"
)

// endGrace is how long what runs on the server may take to end when we are
// told to. An agent needs three seconds for programs that ignore TERM.
const endGrace = 5 * time.Second

// drainLimit is how long output may follow the end of the desktop.
const drainLimit = time.Second

// maxComplaints bounds what is printed of a desktop's standard error, in runes.
const maxComplaints = 2000

// runCommand runs a command, as ssh would.
func (r *run) runCommand(ctx context.Context, client *session.Client) error {
	offer, err := r.offer(ctx, client)
	if err != nil {
		return failed(err)
	}
	defer offer.close()
	cmd := session.Cmd{
		Line:   desktop.WithEnv(desktop.Command(r.command), offer.env()),
		Env:    locale(os.Environ()),
		Stdin:  readable(os.Stdin),
		Stdout: os.Stdout,
		Stderr: os.Stderr,
		X11:    offer.shown.Forwarded(),
	}
	process := client.Command(cmd)
	err = process.Start(ctx)
	if errors.Is(err, session.ErrNoX11) {
		r.log.Warn("the server forwards no windows: the command has no display")
		cmd.X11 = nil
		process = client.Command(cmd)
		err = process.Start(ctx)
	}
	if err != nil {
		return failed(err)
	}
	select {
	case <-process.Exited():
	case <-ctx.Done():
		if err := process.Signal("TERM"); err != nil {
			r.log.Debug("command not signalled", "err", err)
		}
		awaitExit(process)
		return failed(context.Cause(ctx))
	}
	return exitStatus(process.Wait())
}

// runDesktop runs the desktop until it ends, or ctx does.
func (r *run) runDesktop(ctx context.Context, client *session.Client) error {
	offer, err := r.offer(ctx, client)
	if err != nil {
		return failed(err)
	}
	defer offer.close()
	line, err := r.desktopLine(offer.env())
	if err != nil {
		return failed(err)
	}
	end := far.New(r.log)
	defer end.Close()
	process := client.Command(session.Cmd{
		Line:   line,
		Env:    locale(os.Environ()),
		Stdin:  end.Stdin,
		Stdout: end.Stdout,
		Stderr: end.Stderr,
		X11:    offer.shown.Forwarded(),
	})
	if err := process.Start(ctx); err != nil {
		return failed(err)
	}
	end.Follow(ctx, process)
	offer.sound.LeaveTo(end.Agent())
	lost := false
	select {
	case <-process.Exited():
		drain(client, process)
	case <-end.Hung():
		lost = !client.Answers(ctx)
		client.Close()
	case <-ctx.Done():
		awaitExit(process)
	}
	offer.close()
	if ctx.Err() != nil {
		return failed(context.Cause(ctx))
	}
	end.Close()
	return r.verdict(process.Result(), end, lost)
}

// desktopLine is the command line that starts the desktop, with more in its environment.
func (r *run) desktopLine(more map[string]string) (string, error) {
	settings := desktop.Settings{Session: r.session, Env: map[string]string{"LDM_USERNAME": r.target.user}}
	if name, err := os.Hostname(); err == nil {
		settings.Env["LTSP_CLIENT_HOSTNAME"] = name
	}
	maps.Copy(settings.Env, more)
	return settings.CommandLine()
}

// verdict makes our exit status of how the desktop ended, and says why.
func (r *run) verdict(result error, end *far.End, lost bool) error {
	if sentence := cmp.Or(end.Unwelcome(), end.Broken(r.target.host, lost), end.Darkened(r.target.host)); sentence != "" {
		return failed(failure.New(result, "%s", sentence))
	}
	if said := text.Harmless(end.Complaints(), maxComplaints); result != nil && said != "" {
		r.log.Warn("the desktop ended with an error", "said", said)
	}
	return exitStatus(result)
}

// awaitExit waits for a process that was asked to end.
func awaitExit(process *session.Process) {
	select {
	case <-process.Exited():
	case <-time.After(endGrace):
	}
}

// drain waits for the last output of a process that has exited. Without an agent
// there may be others that keep it open; the end of the connection closes it.
func drain(client *session.Client, process *session.Process) {
	limit := time.AfterFunc(drainLimit, func() { client.Close() })
	defer limit.Stop()
	process.Wait()
}

// exitStatus makes our exit status of how a process ended. Like ssh's it is 255
// where a signal ended it.
func exitStatus(result error) error {
	exit, ok := errors.AsType[*session.ExitError](result)
	switch {
	case result == nil:
		return nil
	case ok && exit.Signal == "":
		return cli.Exit(exit.Status)
	case ok:
		return failed(failure.New(nil, "The command was ended by the signal %s.", text.Line(exit.Signal, 20)))
	}
	return failed(result)
}

// readable returns stdin if we may read it: nil where it is a terminal that
// belongs to another process group, since reading it would stop us.
func readable(stdin *os.File) io.Reader {
	if isTerminal(stdin) && !inForeground(stdin) {
		return nil
	}
	return stdin
}
