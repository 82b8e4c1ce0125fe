package session

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/session/hostkeys"
	"goldm/session/internal/sshtest"
)

// wire is a connection in memory, with a buffer, so that both ends may write
// first, and with time that a test can advance. A cut wire swallows what is written.
type wire struct {
	net.Conn // for the methods that nobody calls
	in, out  *buffer
}

type buffer struct {
	mu     sync.Mutex
	more   sync.Cond
	data   bytes.Buffer
	closed bool
	cut    bool
}

func newWire() (client, server *wire) {
	a, b := new(buffer), new(buffer)
	a.more.L, b.more.L = &a.mu, &b.mu
	return &wire{in: a, out: b}, &wire{in: b, out: a}
}

func (w *wire) Read(p []byte) (int, error) {
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	for w.in.data.Len() == 0 && !w.in.closed {
		w.in.more.Wait()
	}
	if w.in.data.Len() == 0 {
		return 0, io.EOF
	}
	return w.in.data.Read(p)
}

func (w *wire) Write(p []byte) (int, error) {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	switch {
	case w.out.closed:
		return 0, net.ErrClosed
	case w.out.cut:
		return len(p), nil
	}
	w.out.more.Broadcast()
	return w.out.data.Write(p)
}

func (w *wire) Close() error {
	for _, b := range []*buffer{w.in, w.out} {
		b.mu.Lock()
		b.closed = true
		b.more.Broadcast()
		b.mu.Unlock()
	}
	return nil
}

// blackhole cuts both directions without a word, as a pulled cable does.
func (w *wire) blackhole() {
	for _, b := range []*buffer{w.in, w.out} {
		b.mu.Lock()
		b.cut = true
		b.mu.Unlock()
	}
}

func (*wire) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 22} }
func (*wire) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 40000} }

func TestKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := newWire()
		key := sshtest.NewKey(t)
		file := sshtest.KnownHosts(t, "server:22", key.PublicKey())
		keys, err := hostkeys.Load(hostkeys.Config{Files: []string{file}})
		if err != nil {
			t.Fatal(err)
		}
		server := sshtest.New(t, sshtest.Config{Keys: []ssh.Signer{key}})
		server.Serve(theirs)
		config := Config{User: sshtest.User, Host: "server", HostKeys: keys, Prompter: sshtest.NewPerson(sshtest.Password)}
		client, err := newDialler(config).login(t.Context(), ours)
		if err != nil {
			t.Fatal(err)
		}

		time.Sleep(time.Hour) // of the bubble's clock
		select {
		case <-client.Done():
			t.Fatalf("an idle connection ended: %v", client.Err())
		default:
		}

		cut := time.Now()
		ours.blackhole()
		<-client.Done()
		if after := time.Since(cut); after > 30*time.Second || after < DefaultLimits().Dead-DefaultLimits().Ping {
			t.Errorf("noticed after %v, want within 30 s and after a missed ping", after)
		}
		if err := client.Err(); err == nil || !errors.Is(err, errSilent) {
			t.Errorf("Err = %v", err)
		}
		client.Close()
		server.Close()
	})
}
