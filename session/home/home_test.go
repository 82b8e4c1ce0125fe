package home

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

const limit = 30 * time.Second

// pipe is a channel without an SSH connection.
type pipe struct{ net.Conn }

func (pipe) CloseWrite() error                              { return nil }
func (pipe) SendRequest(string, bool, []byte) (bool, error) { return false, nil }
func (pipe) Stderr() io.ReadWriter                          { return new(bytes.Buffer) }

// server serves SFTP in this process, on as many channels as it is asked for.
type server struct {
	t       *testing.T
	home    string
	folders []string // that can be listed
	echo    bool     // send back what follows the greeting
	serve   func(conn net.Conn)
	lock    Lock
	opened  []net.Conn // the server's ends
}

func (s *server) Subsystem(ctx context.Context, name string) (ssh.Channel, error) {
	if name != "sftp" {
		s.t.Errorf("subsystem %q", name)
	}
	ours, theirs := net.Pipe()
	s.t.Cleanup(func() { ours.Close() })
	s.opened = append(s.opened, ours)
	serve := s.speak
	if s.serve != nil {
		serve = s.serve
	}
	go serve(ours)
	return pipe{theirs}, nil
}

// extensions is what OpenSSH's server says besides its version.
const extensions = "\x00\x00\x00\x18posix-rename@openssh.com\x00\x00\x00\x011"

func (s *server) speak(conn net.Conn) {
	for {
		p, err := readPacket(conn)
		if err != nil {
			return
		}
		id := p[1:5:5]
		about, _, _ := cutString(p[5:])
		switch p[0] {
		case typeInit:
			writePacket(conn, packet("\x02\x00\x00\x00\x03"+extensions))
		case typeRealPath:
			body := appendString(appendString(binary.BigEndian.AppendUint32(nil, 1), s.home), "drwx")
			writePacket(conn, slices.Concat(packet{typeName}, id, body, make([]byte, 4)))
		case typeOpenDir:
			if !slices.Contains(s.folders, about) {
				writePacket(conn, slices.Concat(packet{typeStatus}, id, []byte{0, 0, 0, 3}))
				break
			}
			writePacket(conn, slices.Concat(packet{typeHandle}, id, appendString(nil, "7")))
		case typeClose:
			writePacket(conn, slices.Concat(packet{typeStatus}, id, make([]byte, 4)))
			if s.echo {
				io.Copy(conn, conn)
			}
		}
	}
}

func open(t *testing.T, s *server, extra ...string) (*Home, error) {
	t.Helper()
	s.t = t
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	h, err := Open(ctx, Config{Server: s, Extra: extra, Lock: s.lock, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		for _, f := range h.Folders {
			f.Socket.Close()
		}
		h.Close()
		h.Wait()
	})
	return h, err
}

// socket returns a folder's socket with a deadline.
func socket(t *testing.T, f Folder) net.Conn {
	t.Helper()
	conn, err := net.FileConn(f.Socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	f.Socket.Close()
	conn.SetDeadline(time.Now().Add(limit))
	return conn
}

func TestOpen(t *testing.T) {
	s := &server{home: "/home/änna", folders: []string{"/home/änna", "/srv/share"}, echo: true}
	h, err := open(t, s, "/srv/secret", "/srv/share")
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Folders) != 2 || h.Folders[0].Path != "/home/änna" || h.Folders[1].Path != "/srv/share" {
		t.Fatalf("got %+v", h.Folders)
	}
	// The channel seems unused, and carries what follows.
	for _, f := range h.Folders {
		conn := socket(t, f)
		if _, err := greet(conn); err != nil {
			t.Fatal(err)
		}
		var sent bytes.Buffer
		for n := range 100 {
			writePacket(&sent, append(packet{200, 0, 0, 0, byte(n)}, make([]byte, n*1000)...))
		}
		writePacket(&sent, make(packet, maxCarried))
		go conn.Write(sent.Bytes())
		got := make([]byte, sent.Len())
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent.Bytes()) {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
}

func TestExtensionsAreKept(t *testing.T) {
	h, err := open(t, &server{home: "/home/anna", folders: []string{"/home/anna"}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := greet(socket(t, h.Folders[0])); err != nil || string(p[5:]) != extensions {
		t.Errorf("got %q, %v", p, err)
	}
}

// Each side's end is the other's.
func TestEnds(t *testing.T) {
	for name, end := range map[string]func(h *Home, server, socket net.Conn){
		"the server's": func(_ *Home, server, _ net.Conn) { server.Close() },
		"the socket's": func(_ *Home, _, socket net.Conn) { socket.Close() },
		"Close":        func(h *Home, _, _ net.Conn) { h.Close() },
	} {
		s := &server{home: "/home/anna", folders: []string{"/home/anna"}, echo: true}
		h, err := open(t, s)
		if err != nil {
			t.Fatal(err)
		}
		conn := socket(t, h.Folders[0])
		if _, err := greet(conn); err != nil {
			t.Fatal(err)
		}
		end(h, s.opened[0], conn)
		h.Wait()
		for _, c := range []net.Conn{conn, s.opened[0]} {
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestServersThatAreNoUse(t *testing.T) {
	says := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			readPacket(conn)
			io.WriteString(conn, text)
			conn.Close()
		}
	}
	for name, tt := range map[string]struct {
		server server
		want   string
	}{
		"unreadable":   {server{home: "/home/anna"}, "permission denied"},
		"relative":     {server{home: "anna"}, "of no use"},
		"empty":        {server{home: ""}, "of no use"},
		"not UTF-8":    {server{home: "/home/\xff"}, "of no use"},
		"a greeting":   {server{serve: says("Welcome to the school!\n")}, "shell files"},
		"ends":         {server{serve: says("")}, "EOF"},
		"version 2":    {server{serve: says("\x00\x00\x00\x05\x02\x00\x00\x00\x02")}, "version 2"},
		"huge":         {server{serve: says("\x7f\xff\xff\xff\x02\x00\x00\x00\x03")}, "no SFTP packet"},
		"empty packet": {server{serve: says("\x00\x00\x00\x00")}, "no SFTP packet"},
		"too long":     {server{home: "/" + strings.Repeat("a", unix.PathMax)}, "of no use"},
		"huge name":    {server{home: "/" + strings.Repeat("a", maxPacket)}, "no SFTP packet"},
	} {
		h, err := open(t, &tt.server)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
		if len(h.Folders) > 0 {
			t.Errorf("%s: %+v", name, h.Folders)
		}
	}
}

// A server that says nothing holds nobody up for longer than the caller likes.
func TestSilentServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan struct{})
	s := &server{t: t, serve: func(conn net.Conn) {
		readPacket(conn)
		close(heard)
	}}
	go func() { <-heard; cancel() }()
	h, err := Open(ctx, Config{Server: s, Log: slog.New(slog.DiscardHandler)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	h.Close()
	h.Wait()
}

// What comes of a server's answers is bounded, whatever they are.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05\x02\x00\x00\x00\x03" +
		"\x00\x00\x00\x1a\x68\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x05/home\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, answers []byte) {
		conversation := struct {
			io.Reader
			io.Writer
		}{bytes.NewReader(answers), io.Discard}
		folder, greeting, err := prepare(conversation, "")
		if err == nil && (len(greeting) > maxPacket || len(folder) > maxPacket || !strings.HasPrefix(folder, "/")) {
			t.Errorf("%d bytes of greeting, %q", len(greeting), folder)
		}
	})
}
