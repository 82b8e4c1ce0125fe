// Package sshtest runs an SSH server inside a test, on 127.0.0.1: one that
// behaves, and parts for one that does not. It remembers what clients sent.
package sshtest

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// The user that the server lets in where Config.Configure does not say otherwise.
const (
	User     = "anna"
	Password = "correct horse"
)

// Config changes a server. Its zero value takes User and Password.
type Config struct {
	Keys      []ssh.Signer            // host keys; nil for a new Ed25519 one
	Configure func(*ssh.ServerConfig) // sets the authentication
	Exec      func(*Exec)             // runs a command; nil for one that ends with status 0 at once
	NoX11     bool                    // refuse x11-req
	NoExec    bool                    // refuse exec

	// Accelerator has Exec run the far half of the X11 accelerator too, which is not there else.
	Accelerator bool

	// Subsystem serves a subsystem until it returns; nil for a server without any.
	Subsystem func(name string, channel ssh.Channel)
}

// Server is a running server.
type Server struct {
	Port int

	t      testing.TB
	config Config
	ssh    *ssh.ServerConfig
	keys   []ssh.Signer
	tasks  sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	conns     []net.Conn
	passwords []string
	users     []string
}

// Start starts a server that ends with the test.
func Start(t testing.TB, config Config) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(t, config)
	s.Port = listener.Addr().(*net.TCPAddr).Port
	s.tasks.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.Serve(conn)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.Close()
	})
	return s
}

// New returns a server that does not listen; connections come by Serve.
func New(t testing.TB, config Config) *Server {
	s := &Server{t: t, config: config, keys: config.Keys}
	if s.keys == nil {
		s.keys = []ssh.Signer{NewKey(t)}
	}
	s.ssh = &ssh.ServerConfig{PasswordCallback: s.CheckPassword}
	if config.Configure != nil {
		config.Configure(s.ssh)
	}
	for _, key := range s.keys {
		s.ssh.AddHostKey(key)
	}
	return s
}

// NewKey returns a new Ed25519 key.
func NewKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// CheckPassword takes Password of User and remembers what it was shown.
func (s *Server) CheckPassword(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, conn.User())
	s.passwords = append(s.passwords, string(password))
	if conn.User() != User || string(password) != Password {
		return nil, errors.New("wrong password")
	}
	return nil, nil
}

// Passwords returns the passwords that arrived.
func (s *Server) Passwords() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.passwords...)
}

// Users returns the users whose passwords arrived.
func (s *Server) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.users...)
}

// Address is host:port.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// KnownHosts returns the path of a file that knows the server's first key.
func (s *Server) KnownHosts() string {
	s.t.Helper()
	return KnownHosts(s.t, s.Address(), s.keys[0].PublicKey())
}

// KnownHosts returns the path of a new file that knows one key.
func KnownHosts(t testing.TB, address string, key ssh.PublicKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(path, []byte(knownhosts.Line([]string{address}, key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Serve serves a connection in the background.
func (s *Server) Serve(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return
	}
	s.conns = append(s.conns, conn)
	s.tasks.Go(func() {
		defer s.ended(conn)
		s.serve(conn)
	})
}

func (s *Server) ended(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(other net.Conn) bool { return other == conn })
}

// Open returns how many connections are open.
func (s *Server) Open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Cut closes all connections.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
}

// Close closes all connections and waits for what served them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.Cut()
	s.tasks.Wait()
}

func (s *Server) serve(conn net.Conn) {
	server, channels, requests, err := ssh.NewServerConn(conn, s.ssh)
	if err != nil {
		return
	}
	s.tasks.Go(func() { ssh.DiscardRequests(requests) })
	for open := range channels {
		if open.ChannelType() != "session" {
			open.Reject(ssh.UnknownChannelType, "no such channel")
			continue
		}
		channel, requests, err := open.Accept()
		if err != nil {
			continue
		}
		s.tasks.Go(func() { s.session(server, channel, requests) })
	}
}
