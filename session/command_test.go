package session_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"goldm/session"
	"goldm/session/internal/sshtest"
	"goldm/session/x11"
)

// serving starts a server whose commands are run by exec, and logs in.
func serving(t *testing.T, exec func(*sshtest.Exec)) (*sshtest.Server, *session.Client) {
	t.Helper()
	server := sshtest.Start(t, sshtest.Config{Exec: exec})
	return server, mustDial(t, server)
}

func TestCommand(t *testing.T) {
	_, client := serving(t, func(e *sshtest.Exec) {
		input, _ := io.ReadAll(e)
		io.WriteString(e, e.Line+" "+e.Env["LANG"]+" "+string(input))
		io.WriteString(e.Stderr(), "oops")
		e.Exit(3)
	})
	var stdout, stderr bytes.Buffer
	process := client.Command(session.Cmd{
		Line:   "cat 'x'",
		Env:    map[string]string{"LANG": "de_DE.UTF-8"},
		Stdin:  strings.NewReader("input"),
		Stdout: &stdout,
		Stderr: &stderr,
	})
	if err := process.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := process.Wait()
	if d := cmp.Diff(&session.ExitError{Status: 3}, err); d != "" {
		t.Error(d)
	}
	if got, want := stdout.String()+"|"+stderr.String(), "cat 'x' de_DE.UTF-8 input|oops"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestResults(t *testing.T) {
	for name, tt := range map[string]struct {
		exec func(*sshtest.Exec)
		want string
	}{
		"status 0":     {func(e *sshtest.Exec) { e.Exit(0) }, "<nil>"},
		"status 255":   {func(e *sshtest.Exec) { e.Exit(255) }, "remote command ended with status 255"},
		"signal":       {func(e *sshtest.Exec) { e.Kill("TERM") }, `remote command ended by signal "TERM"`},
		"odd signal":   {func(e *sshtest.Exec) { e.Kill("\x1b[2J") }, `remote command ended by signal "\x1b[2J"`},
		"no status":    {func(e *sshtest.Exec) { e.Close() }, "the server did not tell how the command ended"},
		"two statuses": {func(e *sshtest.Exec) { e.SendRequest("exit-status", true, []byte{0, 0, 0, 1}); e.Exit(2) }, "remote command ended with status 1"},
		"malformed":    {func(e *sshtest.Exec) { e.SendRequest("exit-status", true, []byte{1}); e.Exit(2) }, "remote command ended with status 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := serving(t, tt.exec)
			process := client.Command(session.Cmd{Line: "x"})
			if err := process.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := errorText(process.Wait()); got != tt.want {
				t.Errorf("Wait = %s, want %s", got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

func TestStatusOfSignal(t *testing.T) {
	_, client := serving(t, func(e *sshtest.Exec) { e.Kill(<-e.Signals) })
	process := client.Command(session.Cmd{Line: "sleep 1000"})
	if err := process.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := process.Signal("TERM"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&session.ExitError{Status: 143, Signal: "TERM"}, process.Wait()); d != "" {
		t.Error(d)
	}
}

// The command's end is known although something holds its output open.
func TestExited(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	_, client := serving(t, func(e *sshtest.Exec) {
		e.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
		<-release
	})
	process := client.Command(session.Cmd{Line: "x"})
	if err := process.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-process.Exited()
	if err := process.Result(); err != nil {
		t.Error(err)
	}
}

func TestLostConnection(t *testing.T) {
	var server *sshtest.Server
	server, client := serving(t, func(*sshtest.Exec) { server.Cut() })
	process := client.Command(session.Cmd{Line: "x"})
	process.Start(t.Context())
	f := failureOf(t, process.Wait())
	if !strings.Contains(f.Sentence, "The connection to the server "+server.Address()+" was lost") {
		t.Errorf("failure %v", f)
	}
	<-client.Done()
	if client.Err() == nil {
		t.Error("the client knows no error")
	}
	if err := client.Command(session.Cmd{Line: "x"}).Start(t.Context()); err == nil {
		t.Error("a command started without a connection")
	}
}

func TestClosedByUs(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	_, client := serving(t, func(*sshtest.Exec) { <-release })
	process := client.Command(session.Cmd{Line: "x"})
	if err := process.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := process.Wait(); err == nil {
		t.Error("the command ended well")
	}
	if err := client.Err(); err != nil {
		t.Errorf("closed in order, but: %v", err)
	}
}

func TestRefusedCommands(t *testing.T) {
	display := &x11.Display{Path: filepath.Join(t.TempDir(), "X")}
	for name, tt := range map[string]struct {
		config   sshtest.Config
		sentence string
	}{
		"x11-req": {sshtest.Config{NoX11: true}, "install xauth on it and to set X11Forwarding yes"},
		"exec":    {sshtest.Config{NoExec: true}, "did not start the session"},
	} {
		client := mustDial(t, sshtest.Start(t, tt.config))
		err := client.Command(session.Cmd{Line: "x", X11: display}).Start(t.Context())
		if f := failureOf(t, err); !strings.Contains(f.Sentence, tt.sentence) {
			t.Errorf("%s: %v", name, f)
		}
		if errors.Is(err, session.ErrNoX11) != (name == "x11-req") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A server that never answers the requests of a command.
func TestStartLimits(t *testing.T) {
	key := sshtest.NewKey(t)
	serverConfig := &ssh.ServerConfig{NoClientAuth: true}
	serverConfig.AddHostKey(key)
	port := raw(t, func(conn net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(conn, serverConfig)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for range channels { // none is answered
		}
	})
	address := (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}).String()
	config := configFor(t, port, sshtest.KnownHosts(t, address, key.PublicKey()))
	config.Limits.Turn = short().Turn
	t.Run("time", func(t *testing.T) {
		client, err := session.Dial(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		err = client.Command(session.Cmd{Line: "x"}).Start(t.Context())
		if f := failureOf(t, err); !strings.Contains(f.Sentence, "stopped answering") {
			t.Errorf("failure %v", f)
		}
	})
	t.Run("context", func(t *testing.T) {
		config.Limits.Turn = time.Hour
		client, err := session.Dial(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("hung up")
		cancel(why)
		if err := client.Command(session.Cmd{Line: "x"}).Start(ctx); !errors.Is(err, why) {
			t.Errorf("error is %v", err)
		}
	})
}

// A server's X client reaches the display; without forwarding, none does, and
// no channel of another type is taken.
func TestX11(t *testing.T) {
	path := filepath.Join(t.TempDir(), "X0")
	xserver, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer xserver.Close()
	setup := make(chan []byte, 1)
	go func() {
		for {
			conn, err := xserver.Accept()
			if err != nil {
				return
			}
			// The X11 connection setup: byte order, version, lengths, name and data
			// of the authorization (X11 protocol, section 8).
			head := make([]byte, 12+20+16)
			if _, err := io.ReadFull(conn, head); err == nil && head[0] == 'l' {
				setup <- head
			}
			conn.Close()
		}
	}()
	errs := make(chan error, 3)
	_, client := serving(t, func(e *sshtest.Exec) {
		defer e.Exit(0)
		for _, kind := range []string{"forwarded-tcpip", "auth-agent@openssh.com", "session"} {
			if err := e.Open(kind); err == nil {
				errs <- errors.New("a channel of type " + kind + " was taken")
			}
		}
		if e.X11 == nil {
			if _, err := e.OpenX11(); err == nil {
				errs <- errors.New("an X client was taken although nobody asked for it")
			}
			return
		}
		channel, err := e.OpenX11()
		if err != nil {
			errs <- err
			return
		}
		cookie, _ := hex.DecodeString(e.X11.Cookie)
		head := []byte{'l', 0, 11, 0, 0, 0, 18, 0, 16, 0, 0, 0}
		channel.Write(append(append(head, e.X11.Protocol+"\x00\x00"...), cookie...))
		io.Copy(io.Discard, channel)
	})
	real := bytes.Repeat([]byte{7}, 16)
	for _, display := range []*x11.Display{nil, {Path: path, AuthName: "MIT-MAGIC-COOKIE-1", AuthData: real}, nil} {
		process := client.Command(session.Cmd{Line: "xterm", X11: display})
		if err := process.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if display != nil {
			if head := <-setup; !bytes.HasSuffix(head, real) {
				t.Errorf("the display got %q, without its cookie", head)
			}
		}
		if err := process.Wait(); err != nil {
			t.Error(err)
		}
	}
	select {
	case err := <-errs:
		t.Error(err)
	default:
	}
}
