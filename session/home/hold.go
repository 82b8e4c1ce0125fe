package home

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"goldm/session"
	"goldm/session/desktop"
)

const (
	holdLimit = 5 * time.Second  // for the server's answer
	pulse     = 10 * time.Second // between two signs of life; the server waits for 30 s

	// The answers of ltsp-server-agent hold.
	answerHeld = "ltsp-hold held\n"
	answerBusy = "ltsp-hold busy\n"
)

// LockBy returns a Lock by ltsp-server-agent on the server. One without it locks
// nothing.
func LockBy(client *session.Client) Lock {
	return func(ctx context.Context, file string) (func(), error) {
		const script = `PATH=$PATH:/usr/local/bin:/usr/bin:/usr/sbin; exec ltsp-server-agent hold "$1"`
		in, life := io.Pipe()
		said := &lines{answered: make(chan struct{})}
		process := client.Command(session.Cmd{
			Line:  desktop.Command([]string{"/bin/sh", "-c", script, "sh", file}),
			Stdin: in, Stdout: said,
		})
		// Not with ctx, which would take the connection with it.
		if err := process.Start(context.WithoutCancel(ctx)); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, holdLimit)
		defer cancel()
		select {
		case <-said.answered:
		case <-process.Exited():
		case <-ctx.Done():
		}
		if said.has(answerHeld) {
			return keepAlive(process, life), nil
		}
		life.Close()
		process.Close()
		switch {
		case said.has(answerBusy):
			return nil, ErrBusy
		case ctx.Err() != nil:
			return nil, ctx.Err()
		}
		return nil, errors.New("no answer of ltsp-server-agent hold")
	}
}

// keepAlive gives signs of life until release is called, which waits until the
// process has ended, and the lock with it.
func keepAlive(process *session.Process, life *io.PipeWriter) (release func()) {
	stop := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { beat(process, life, stop) })
	return func() {
		close(stop)
		life.Close()
		beating.Wait()
		select {
		case <-process.Exited():
		case <-time.After(holdLimit):
			process.Close()
		}
	}
}

func beat(process *session.Process, life *io.PipeWriter, stop <-chan struct{}) {
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := life.Write([]byte("\n")); err != nil {
				return
			}
		case <-process.Exited():
			return
		case <-stop:
			return
		}
	}
}

// lines is what the process prints, until an answer is among it.
type lines struct {
	answered chan struct{}

	mu   sync.Mutex
	text []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) > maxPacket {
		return len(p), nil
	}
	before := l.answer()
	l.text = append(l.text, p...)
	if !before && (l.answer() || len(l.text) > maxPacket) {
		close(l.answered)
	}
	return len(p), nil
}

func (l *lines) answer() bool {
	return bytes.Contains(l.text, []byte(answerHeld)) || bytes.Contains(l.text, []byte(answerBusy))
}

func (l *lines) has(answer string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.text, []byte(answer))
}
