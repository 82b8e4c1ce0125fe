package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/session/x11"
)

// Cmd describes a remote command.
type Cmd struct {
	Line string            // for the user's login shell; see package desktop for quoting
	Env  map[string]string // asked for; servers take what their AcceptEnv names and ignore the rest

	// Stdin, where it is nil, is empty. A Read that blocks outlives the command.
	Stdin io.Reader

	// Stdout and Stderr, where they are nil, are discarded.
	Stdout, Stderr io.Writer

	// Terminal runs the command on a terminal without echo; its output and its
	// errors are then one stream.
	Terminal bool

	// X11, where it is set, is the display for the command's X clients. One
	// command on a connection at a time may have one.
	X11 *x11.Display
}

// Process is a remote command that is to be started, runs, or has ended.
type Process struct {
	client  *Client
	cmd     Cmd
	channel ssh.Channel

	output sync.WaitGroup
	exited chan struct{} // closed when the command has ended
	ended  chan struct{} // closed when the channel has
	result error         // to be read after exited
}

// ExitError reports a command that did not end with status 0.
type ExitError struct {
	Status int    // 128 and more where Signal is set, as a shell has it
	Signal string // RFC 4254, section 6.10: "TERM", "KILL" and so on
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("remote command ended by signal %.20q", e.Signal)
	}
	return fmt.Sprintf("remote command ended with status %d", e.Status)
}

var (
	errClosed   = errors.New("the connection is closed")
	errRefused  = errors.New("refused by the server")
	errNoStatus = errors.New("the server did not tell how the command ended")
)

// Command returns a command that is not started yet.
func (c *Client) Command(cmd Cmd) *Process {
	return &Process{client: c, cmd: cmd, exited: make(chan struct{}), ended: make(chan struct{})}
}

// Start asks the server to run the command and returns when it has agreed. Where ctx
// ends first, or the server takes too long, the connection is closed: an
// SSH request cannot be taken back.
func (p *Process) Start(ctx context.Context) error {
	c := p.client
	ctx, cancel := context.WithTimeoutCause(ctx, c.limits.Turn, errTurn)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.line.fail(context.Cause(ctx)) })
	defer stop()
	err := p.start()
	if err == nil {
		return nil
	}
	var known *failure.Failure
	var noChannel *ssh.OpenChannelError
	refused := errors.Is(err, errRefused) || errors.As(err, &noChannel)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTurn):
		return failure.New(cause, "The server %s stopped answering. Log in again.", c.server)
	case cause != nil:
		return fmt.Errorf("start command: %w", cause)
	case errors.As(err, &known):
		return err
	case !refused && c.isLost():
		return c.why()
	}
	return failure.New(err, "The server %s did not start the session. Ask the administrator.", c.server)
}

func (p *Process) start() error {
	channel, requests, err := p.client.ssh.OpenChannel("session", nil)
	if err != nil {
		return err
	}
	p.channel = channel
	if !p.client.task(func() { p.follow(requests) }) {
		return errClosed
	}
	if err := p.request(); err != nil {
		channel.Close()
		return err
	}
	p.copy()
	return nil
}

// request makes the requests of RFC 4254, section 6, in OpenSSH's order.
func (p *Process) request() error {
	if p.cmd.X11 != nil {
		if err := p.client.forward(p); err != nil {
			return err
		}
	}
	if p.cmd.Terminal {
		if err := p.send("pty-req", newTerminal()); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.cmd.Env)) {
		variable := struct{ Name, Value string }{name, p.cmd.Env[name]}
		if _, err := p.channel.SendRequest("env", false, ssh.Marshal(&variable)); err != nil {
			return fmt.Errorf("env: %w", err)
		}
	}
	return p.send("exec", &struct{ Line string }{p.cmd.Line})
}

// send makes a request that the server has to agree to.
func (p *Process) send(kind string, payload any) error {
	ok, err := p.channel.SendRequest(kind, true, ssh.Marshal(payload))
	if err == nil && !ok {
		err = errRefused
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

// terminal is the payload of a pty-req (RFC 4254, section 6.2).
type terminal struct {
	Term          string
	Columns, Rows uint32
	Width, Height uint32 // in pixels; 0 for unknown
	Modes         string
}

// newTerminal is a terminal that shows nothing of what is typed: mode ECHO off
// (RFC 4254, section 8).
func newTerminal() *terminal {
	const echo, end = "\x35\x00\x00\x00\x00", "\x00"
	return &terminal{Term: "dumb", Columns: 80, Rows: 24, Modes: echo + end}
}

// copy starts to carry the standard streams.
func (p *Process) copy() {
	stdin, channel := p.cmd.Stdin, p.channel
	if stdin == nil {
		channel.CloseWrite()
	} else {
		// Not among the tasks: nothing can end a Read of a terminal.
		go func() {
			io.Copy(channel, stdin)
			channel.CloseWrite()
		}()
	}
	for _, stream := range []struct {
		to   io.Writer
		from io.Reader
	}{{p.cmd.Stdout, channel}, {p.cmd.Stderr, channel.Stderr()}} {
		if stream.to == nil {
			stream.to = io.Discard
		}
		p.output.Go(func() {
			if _, err := io.Copy(stream.to, stream.from); err != nil {
				io.Copy(io.Discard, stream.from) // the command must not hang on a reader that is gone
			}
		})
	}
}

// follow takes what the server says about the command (RFC 4254, section 6.10),
// until the channel is closed.
func (p *Process) follow(requests <-chan *ssh.Request) {
	known := false
	for request := range requests {
		result, ends := exit(request)
		if ends && !known {
			known = true
			p.result = result
			close(p.exited)
		}
		if request.WantReply {
			request.Reply(ends, nil)
		}
	}
	if !known {
		p.result = errNoStatus
		if p.client.isLost() {
			p.result = p.client.why()
		}
		close(p.exited)
	}
	p.client.stopForwarding(p)
	close(p.ended)
}

// exit reads a command's result from a request, if it is about that.
func exit(request *ssh.Request) (result error, ends bool) {
	switch request.Type {
	case "exit-status":
		var status struct{ Status uint32 }
		if err := ssh.Unmarshal(request.Payload, &status); err != nil {
			return nil, false
		}
		if status.Status == 0 {
			return nil, true
		}
		return &ExitError{Status: int(status.Status)}, true
	case "exit-signal":
		var signal struct {
			Signal          string
			CoreDumped      bool
			Error, Language string
		}
		if err := ssh.Unmarshal(request.Payload, &signal); err != nil {
			return nil, false
		}
		return &ExitError{Status: statusOf(signal.Signal), Signal: signal.Signal}, true
	}
	return nil, false
}

// isLost reports whether the connection has ended. A channel ends a moment
// before its connection is known to have.
func (c *Client) isLost() bool {
	select {
	case <-c.done:
		return true
	case <-time.After(lostGrace):
		return false
	}
}

const lostGrace = time.Second

// why is Err with an error for Close, too.
func (c *Client) why() error {
	if err := c.Err(); err != nil {
		return err
	}
	return errClosed
}

// Exited is closed when the command itself has ended. Its output may be open
// longer, where other processes have it.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Wait waits until the command and its output have ended. The error is an
// *ExitError, or tells that the connection was lost.
func (p *Process) Wait() error {
	<-p.ended
	p.output.Wait()
	return p.result
}

// Result is what Wait returns, to be read after Exited.
func (p *Process) Result() error { return p.result }

// Signal asks the server to send the command's processes a signal, such as
// "TERM". Servers may ignore it.
func (p *Process) Signal(name string) error {
	_, err := p.channel.SendRequest("signal", false, ssh.Marshal(&struct{ Name string }{name}))
	return err
}

// Close gives the command up: its channel is closed.
func (p *Process) Close() error { return p.channel.Close() }
