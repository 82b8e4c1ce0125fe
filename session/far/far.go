// Package far is the client's part in what a desktop on a server says and hears
// on its standard streams: agentwire, where the server has ltsp-server-agent;
// elsewhere nothing that matters.
package far

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/pulse"
	"goldm/internal/tagged"
	"goldm/internal/text"
)

const (
	// helloWithin is how long an agent may take to say hello; the user's shell
	// reads its own files first.
	helloWithin = 20 * time.Second
)

// Process is the desktop's first process, a *session.Process.
type Process interface {
	Exited() <-chan struct{}
	Signal(name string) error
}

// End is the far end of a desktop session.
type End struct {
	Stdin  io.Reader // what the process reads
	Stdout io.Writer // what it writes
	Stderr io.Writer

	log     *slog.Logger
	process Process
	hello   chan struct{} // closed when an agent said hello
	tail    tail
	others  []agentwire.Session // that were in the way; to be read after Close
	from    string              // where the session was ended from; likewise
	drained bool                // the server takes no new logins; likewise
	dark    bool                // the session lost its display; likewise
	silent  bool                // the agent heard nothing of us; likewise
	broken  bool                // a part of the agent hung; likewise

	limits pulse.Limits // of the pings, far below the 30 seconds after which an agent gives a silent client up
	asker  pulse.Asker
	hung   chan struct{} // closed when the agent hangs

	toProcess, fromProcess *io.PipeReader
	toUs, fromUs           *io.PipeWriter
	tasks                  sync.WaitGroup
}

// New returns the end of a session whose process is to be started with the
// three streams. Close has to follow.
func New(log *slog.Logger) *End {
	e := &End{log: log, hello: make(chan struct{}), limits: pulse.DefaultLimits(), hung: make(chan struct{})}
	e.toProcess, e.fromUs = io.Pipe()
	e.fromProcess, e.toUs = io.Pipe()
	e.Stdin, e.Stdout, e.Stderr = e.toProcess, e.toUs, &e.tail
	return e
}

// Follow listens to a process that has started, and talks to it, until it has
// ended. The end of ctx asks it to end.
func (e *End) Follow(ctx context.Context, process Process) {
	e.process = process
	e.tasks.Go(e.listen)
	e.tasks.Go(func() { e.talk(ctx) })
}

// Close ends the streams, and waits for what Follow began. The process has to
// have exited, or its connection to be closed.
func (e *End) Close() {
	e.fromUs.Close()
	e.toProcess.Close()
	e.toUs.Close()
	e.tasks.Wait()
}

// Agent is closed when an agent has said hello.
func (e *End) Agent() <-chan struct{} { return e.hello }

// Complaints returns the last that the process wrote to its standard error.
func (e *End) Complaints() string { return e.tail.String() }

// Drained tells, after Close, that the server takes no new logins.
func (e *End) Drained() bool { return e.drained }

// Darkened returns, after Close, a sentence where the session had lost its display.
func (e *End) Darkened(server string) string {
	if !e.dark {
		return ""
	}
	return fmt.Sprintf("The server %s lost the way to this screen, which ended the session. Log in again.", server)
}

// listen reads what the process prints. Without an agent that is whatever the
// desktop's programs print, and no business of ours.
func (e *End) listen() {
	messages := agentwire.NewReader(e.fromProcess)
	greeted := false
	for {
		message, err := messages.Read()
		if _, stray := errors.AsType[*tagged.BadMessage](err); stray {
			e.log.Debug("line from the session that is no message", "err", err)
			continue
		}
		if err != nil {
			return
		}
		switch message := message.(type) {
		case *agentwire.Hello:
			if !greeted {
				greeted = true
				e.log.Info("the session has an agent", "version", message.Version, "agent", message.Agent)
				close(e.hello)
			}
		case *agentwire.Ended:
			e.log.Info("the agent ended the session", "status", message.Status)
			e.from, e.dark = message.From, message.Dark
			e.silent, e.broken = message.Silent, message.Hung
		case *agentwire.Pong:
			if !e.asker.AnswerNext() {
				e.log.Warn("the server's agent answers what it was not asked")
			}
		case *agentwire.Others:
			e.others = message.List
		case *agentwire.Drained:
			e.drained = true
		case *agentwire.Warning:
			e.log.Warn("the server's agent warns", "text", text.Line(message.Text, maxTail))
		}
	}
}

// talk keeps an agent informed that we are there, and ends the session when
// ctx ends: in order where there is an agent, by a signal where there is none.
func (e *End) talk(ctx context.Context) {
	hello := e.hello
	late := time.NewTimer(helloWithin)
	defer late.Stop()
	pings, stop := context.WithCancel(context.Background())
	defer stop()
	for {
		select {
		case <-hello:
			hello = nil
			late.Stop()
			e.tasks.Go(func() { e.ping(pings) })
		case <-late.C:
			e.log.Warn("server has no ltsp-server-agent: what the desktop leaves behind stays there")
		case <-ctx.Done():
			e.end(hello == nil)
			return
		case <-e.process.Exited():
			return
		}
	}
}

func (e *End) end(agent bool) {
	if agent {
		e.say(&agentwire.End{})
		return
	}
	if err := e.process.Signal("TERM"); err != nil {
		e.log.Debug("session not signalled", "err", err)
	}
}

func (e *End) say(m agentwire.Message) {
	if err := agentwire.Write(e.fromUs, m); err != nil {
		e.log.Debug("agent not told", "err", err)
	}
}
