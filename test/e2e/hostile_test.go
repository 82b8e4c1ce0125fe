package e2e

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"goldm/ldm/greetd"
)

// hostile is a server that misbehaves on command.
type hostile struct {
	config *ssh.ServerConfig
	heard  struct { // what it was told before it should have been told anything
		sync.Mutex
		passwords []string
	}
}

func newHostile(t *testing.T) (*hostile, ssh.PublicKey) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	h := &hostile{config: &ssh.ServerConfig{MaxAuthTries: -1}}
	h.config.AddHostKey(signer)
	h.config.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		h.heard.Lock()
		defer h.heard.Unlock()
		h.heard.passwords = append(h.heard.passwords, string(password))
		return nil, nil
	}
	return h, signer.PublicKey()
}

// bad is the server's port 2222, where each connection gets what is served at the
// time. It listens once and for all: what another test forks holds a port for a
// moment longer than its listener.
type bad struct {
	mu    sync.Mutex
	serve func(net.Conn)
	open  map[net.Conn]struct{}
	conns sync.WaitGroup
}

func (s *station) badServer() *bad {
	s.t.Helper()
	l, err := s.Server.Listen(s.t.Context(), "tcp", "0.0.0.0:2222")
	s.must(err)
	b := &bad{serve: func(net.Conn) {}, open: make(map[net.Conn]struct{})}
	b.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b.take(c)
		}
	})
	s.t.Cleanup(func() { l.Close(); b.hangUp(); b.conns.Wait() })
	return b
}

func (b *bad) take(c net.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[c] = struct{}{}
	serve := b.serve
	b.conns.Go(func() {
		serve(c)
		c.Close()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.open, c)
	})
}

// hangUp closes what is open.
func (b *bad) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.open {
		c.Close()
	}
}

// now serves new connections in this way, and hangs up on the old ones.
func (b *bad) now(serve func(net.Conn)) {
	b.mu.Lock()
	b.serve = serve
	b.mu.Unlock()
	b.hangUp()
}

// Each server that misbehaves ends in a sentence, and the next login works.
func TestBadServers(t *testing.T) {
	s := newStation(t)
	h, key := newHostile(t)
	known, err := s.Client.ReadFile("/etc/ssh/ssh_known_hosts")
	s.must(err)
	known = append(known, "[server]:2222 "+string(ssh.MarshalAuthorizedKey(key))...)
	s.must(s.Client.WriteFile("/etc/ssh/ssh_known_hosts", known, 0o644))
	s.configure(xvfb, `LDM_SERVER="server server:2222"`)
	s.start()
	conn := s.dial()

	handshake := func(challenge func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error), banner func() string) func(net.Conn) {
		config := *h.config
		config.KeyboardInteractiveCallback = challenge
		if banner != nil {
			config.BannerCallback = func(ssh.ConnMetadata) string { return banner() }
		}
		return func(c net.Conn) { ssh.NewServerConn(c, &config) }
	}
	failed := expect[*greetd.Error](t, s.authenticateOn(conn, "server:2222"))
	if t.Logf("not there: %s", failed.Description); !strings.Contains(failed.Description, "takes no logins") {
		t.Errorf("not there: %q", failed.Description)
	}
	servers := []struct {
		name  string
		serve func(net.Conn)
	}{
		{"closes at once", func(net.Conn) {}},
		{"not SSH", func(c net.Conn) { fmt.Fprint(c, "220 mail ready\r\n") }},
		{"noise", func(c net.Conn) { io.CopyN(c, rand.Reader, 1<<20) }},
		{"endless lines before the version", func(c net.Conn) {
			for w := bufio.NewWriter(c); ; {
				if _, err := w.WriteString("hello, I am a very polite server\r\n"); err != nil {
					return
				}
			}
		}},
		{"closes after the version", func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2\r\n") }},
		{"hangs after the version", func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2\r\n"); io.Copy(io.Discard, c) }},
		{"endless prompts", handshake(func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			for n := 0; ; n++ {
				if _, err := ask("", "", []string{fmt.Sprintf("Question %d: ", n)}, []bool{false}); err != nil {
					return nil, err
				}
			}
		}, nil)},
		{"a thousand prompts at once", handshake(func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			_, err := ask("", "", make([]string, 1000), make([]bool, 1000))
			return nil, err
		}, nil)},
		{"a megabyte of banner", handshake(nil, func() string { return strings.Repeat("banner ", 30000) })},
	}
	server := s.badServer()
	for _, tt := range servers {
		server.now(tt.serve)
		failed := expect[*greetd.Error](t, s.authenticateOn(conn, "server:2222"))
		t.Logf("%s: %s", tt.name, failed.Description)
		if failed.Description == "" || strings.Contains(failed.Description, "stopped unexpectedly") || strings.Contains(failed.Description, "Something went wrong") {
			t.Errorf("%s: no sentence for people: %q", tt.name, failed.Description)
		}
	}
	expect[*greetd.Success](t, s.authenticateOn(conn, "server"))
}

// authenticateOn is authenticate on a chosen server of the list.
func (s *station) authenticateOn(conn net.Conn, server string) greetd.Response {
	s.t.Helper()
	response := s.call(conn, &greetd.CreateSession{Username: "anna", Server: server})
	for {
		m, ok := response.(*greetd.AuthMessage)
		if !ok {
			return response
		}
		if m.Type == greetd.Secret {
			response = s.call(conn, answer(password))
		} else {
			response = s.call(conn, &greetd.PostResponse{})
		}
	}
}

// A key that is not known, or is another's, is refused before any password is asked for.
func TestHostKeysComeBeforePasswords(t *testing.T) {
	s := newStation(t)
	h, own := newHostile(t)
	s.badServer().now(func(c net.Conn) { ssh.NewServerConn(c, h.config) })
	_, other := newHostile(t)
	s.configure(xvfb, "LDM_SERVER=server:2222")
	s.start()
	for name, known := range map[string]string{
		"unknown": "",
		"changed": "[server]:2222 " + string(ssh.MarshalAuthorizedKey(other)),
		"revoked": "@revoked * " + string(ssh.MarshalAuthorizedKey(own)),
	} {
		s.must(s.Client.WriteFile("/etc/ssh/ssh_known_hosts", []byte(known), 0o644))
		response := s.call(s.dial(), &greetd.CreateSession{Username: "anna"})
		failed := expect[*greetd.Error](t, response)
		t.Logf("%s: %s", name, failed.Description)
		if !strings.Contains(strings.ToLower(failed.Description), "key") || !strings.Contains(failed.Description, "dministrator") {
			t.Errorf("%s: %q does not say what to do", name, failed.Description)
		}
	}
	if len(h.heard.passwords) != 0 {
		t.Errorf("it was told %d passwords", len(h.heard.passwords))
	}
}
