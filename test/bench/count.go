package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"goldm/internal/x11"
	sessionx11 "goldm/session/x11"
)

// counterDisplay is the number of the display that the counter offers.
const counterDisplay = 99

// runCount runs a program with a display of its own that passes everything on
// to $DISPLAY, and writes down when, and for what, the program waited for
// an answer.
func runCount(ctx context.Context, args []string) error {
	if len(args) < 3 {
		return errors.New("usage: count FILE AT-LEAST COMMAND…")
	}
	least, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	out, err := os.Create(args[0])
	if err != nil {
		return err
	}
	defer out.Close()
	target, err := sessionx11.ParseDisplay(os.Getenv("DISPLAY"))
	if err != nil {
		return err
	}
	authority := os.Getenv("XAUTHORITY")
	if authority == "" {
		authority = os.Getenv("HOME") + "/.Xauthority"
	}
	if err := target.Authorize(ctx, authority); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, name, err := listenLike(target)
	if err != nil {
		return err
	}
	defer listener.Close()
	c := &counter{target: target, least: least, out: out, lexicon: newLexicon()}
	go c.serve(ctx, listener)
	command := exec.CommandContext(ctx, args[2], args[3:]...)
	command.Env = append(os.Environ(), "DISPLAY="+name)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	return command.Run()
}

// listenLike takes the counter's display in the way that the target is reached, by TCP or as a file: libraries
// take it for a remote one or not, and ask it accordingly.
func listenLike(target *sessionx11.Display) (l net.Listener, name string, err error) {
	number := strconv.Itoa(counterDisplay)
	if target.Host != "" {
		l, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(6000+counterDisplay)))
		return l, "localhost:" + number, err
	}
	l, err = net.Listen("unix", "/tmp/.X11-unix/X"+number)
	return l, ":" + number, err
}

// counter counts the waits of all of a program's connections.
type counter struct {
	target  *sessionx11.Display
	least   time.Duration // what a wait takes at least, to be one for the link
	out     io.Writer
	lexicon *lexicon

	mu            sync.Mutex
	conversations int
}

func (c *counter) serve(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			if err := c.carry(ctx, conn); err != nil && !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, "counter:", err)
			}
		}()
	}
}

// carry carries a connection. Its setup is a wait by itself.
func (c *counter) carry(ctx context.Context, client net.Conn) error {
	defer client.Close()
	begin := time.Now()
	setup, err := x11.ReadSetupRequest(client, 1024)
	if err != nil {
		return err
	}
	server, err := c.target.Dial(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	setup.AuthName, setup.AuthData = c.target.AuthName, c.target.AuthData
	if _, err := server.Write(setup.Append(nil)); err != nil {
		return err
	}
	head := make([]byte, x11.SetupAnswerHead)
	if _, err := io.ReadFull(server, head); err != nil {
		return err
	}
	rest := make([]byte, x11.SetupAnswerSize(setup.Order, head)-len(head))
	if _, err := io.ReadFull(server, rest); err != nil {
		return err
	}
	if _, err := client.Write(append(head, rest...)); err != nil {
		return err
	}
	x := &exchange{counter: c, order: setup.Order, number: c.conversation()}
	c.waited(wait{conversation: x.number, took: time.Since(begin), request: "setup"})
	go func() {
		x.requests(client, server)
		server.(interface{ CloseWrite() error }).CloseWrite()
	}()
	return x.answers(server, client)
}

// conversation is the number of the next one.
func (c *counter) conversation() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conversations++
	return c.conversations
}

// waited writes a wait down.
func (c *counter) waited(w wait) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.took < c.least {
		return
	}
	w.at = time.Now()
	if _, err := io.WriteString(c.out, w.line()); err != nil {
		fmt.Fprintln(os.Stderr, "counter:", err)
	}
}
