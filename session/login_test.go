package session_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/session"
	"goldm/session/hostkeys"
	"goldm/session/internal/sshtest"
	"goldm/session/prompt"
)

// short are limits for servers that are to exceed them.
func short() session.Limits {
	return session.Limits{Handshake: 200 * time.Millisecond, Turn: 200 * time.Millisecond, Busy: 1}
}

// configFor describes a login at 127.0.0.1 by somebody with the right password.
func configFor(t testing.TB, port int, knownHosts string) session.Config {
	t.Helper()
	keys, err := hostkeys.Load(hostkeys.Config{Files: []string{knownHosts}})
	if err != nil {
		t.Fatal(err)
	}
	return session.Config{
		User:     sshtest.User,
		Host:     "127.0.0.1",
		Port:     port,
		HostKeys: keys,
		Prompter: sshtest.NewPerson(sshtest.Password),
	}
}

func dial(t testing.TB, server *sshtest.Server, change func(*session.Config)) (*session.Client, error) {
	t.Helper()
	config := configFor(t, server.Port, server.KnownHosts())
	if change != nil {
		change(&config)
	}
	client, err := session.Dial(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { client.Close() })
	}
	return client, err
}

func mustDial(t testing.TB, server *sshtest.Server) *session.Client {
	t.Helper()
	client, err := dial(t, server, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// raw runs a server that is not one; the connection is closed when serve returns.
func raw(t testing.TB, serve func(net.Conn)) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().(*net.TCPAddr).Port
}

// hang waits until the client has gone.
func hang(conn net.Conn) { io.Copy(io.Discard, conn) }

func say(text string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		io.WriteString(conn, text)
		then(conn)
	}
}

func failureOf(t testing.TB, err error) *failure.Failure {
	t.Helper()
	var f *failure.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a failure", err)
	}
	return f
}

func TestLogin(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	var told []string
	client, err := dial(t, server, func(c *session.Config) { c.Progress = func(text string) { told = append(told, text) } })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Connecting to " + server.Address() + "…", "Checking the password…"}; !slices.Equal(told, want) {
		t.Errorf("progress %q, want %q", told, want)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if err := client.Err(); err != nil {
		t.Errorf("closed in order, but: %v", err)
	}
}

// What answers, or does not, instead of a server.
func TestNoServer(t *testing.T) {
	flood := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			for {
				if _, err := io.WriteString(conn, text); err != nil {
					return
				}
			}
		}
	}
	drip := func(conn net.Conn) {
		for tick := time.NewTicker(10 * time.Millisecond); ; <-tick.C {
			if _, err := io.WriteString(conn, "wait\r\n"); err != nil {
				return
			}
		}
	}
	nothing := func(net.Conn) {}
	for name, tt := range map[string]struct {
		serve    func(net.Conn)
		sentence string
	}{
		"closes at once":            {nothing, "is busy"},
		"over MaxStartups":          {say("Exceeded MaxStartups\r\n", nothing), "is busy"},
		"penalised":                 {say("Not allowed at this time\r\n", nothing), "is busy"},
		"web server":                {say("HTTP/1.1 400 Bad Request\r\n\r\n<html>", nothing), "does not speak SSH"},
		"web server that stays":     {say("HTTP/1.1 400 Bad Request\r\n\r\n<html>", hang), "does not speak SSH"},
		"binary":                    {flood("\x00\xff\xfe"), "does not speak SSH"},
		"endless lines":             {flood("hello\r\n"), "does not speak SSH"},
		"endless lines, slowly":     {drip, "does not speak SSH"},
		"one endless line":          {flood("x"), "does not speak SSH"},
		"says nothing":              {hang, "does not answer"},
		"hangs after its version":   {say("SSH-2.0-x\r\n", hang), "does not answer"},
		"closes after its version":  {say("SSH-2.0-x\r\n", nothing), "broke the connection off"},
		"rubbish after its version": {say("SSH-2.0-x\r\n", flood("\xff\xff\xff\xff")), "broke the connection off"},
		"packet of zeros":           {say("SSH-2.0-x\r\n", flood("\x00\x00\x00\x00")), "broke the connection off"},
	} {
		t.Run(name, func(t *testing.T) {
			config := configFor(t, raw(t, tt.serve), "/nonexistent")
			config.Limits = short()
			person := sshtest.NewPerson(sshtest.Password)
			config.Prompter = person
			_, err := session.Dial(t.Context(), config)
			if f := failureOf(t, err); !strings.Contains(f.Sentence, tt.sentence) || f.Refused {
				t.Errorf("failure %v, want %q", f, tt.sentence)
			}
			if !errors.Is(err, session.ErrUnreachable) {
				t.Errorf("%v: another server would not be tried", err)
			}
			if len(person.Seen()) > 0 {
				t.Error("the person was asked")
			}
		})
	}
}

func TestNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	_, err = session.Dial(t.Context(), configFor(t, port, "/nonexistent"))
	if f := failureOf(t, err); !strings.Contains(f.Sentence, "takes no logins") || !errors.Is(err, session.ErrUnreachable) {
		t.Errorf("refused connection: %v", f)
	}
	config := configFor(t, 22, "/nonexistent")
	config.Host = "no-such-host.invalid"
	_, err = session.Dial(t.Context(), config)
	if f := failureOf(t, err); !strings.Contains(f.Sentence, "no-such-host.invalid") || !errors.Is(err, session.ErrUnreachable) {
		t.Errorf("unknown name: %v", f)
	}
}

// No password goes to a server that is not known, or is not the one that is.
func TestHostKeys(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	wrong := sshtest.KnownHosts(t, server.Address(), sshtest.NewKey(t).PublicKey())
	for file, sentence := range map[string]string{"/nonexistent": "is not known to this client", wrong: "shows another key"} {
		config := configFor(t, server.Port, file)
		person := sshtest.NewPerson(sshtest.Password)
		config.Prompter = person
		_, err := session.Dial(t.Context(), config)
		if f := failureOf(t, err); !strings.Contains(f.Sentence, sentence) || f.Refused {
			t.Errorf("failure %v, want %q", f, sentence)
		}
		if errors.Is(err, session.ErrUnreachable) {
			t.Error("another server would be tried, and the warning lost")
		}
		if len(person.Seen()) > 0 || len(server.Passwords()) > 0 {
			t.Errorf("the person saw %v, the server %q", person.Seen(), server.Passwords())
		}
	}
}

func TestAlgorithms(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.NoClientAuth = true
		c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1}
	}})
	_, err := dial(t, server, nil)
	if f := failureOf(t, err); !strings.Contains(f.Sentence, "no encryption that this client accepts") {
		t.Errorf("failure %v", f)
	}
}

// blocked asks nobody: its questions stay open until the login ends.
type blocked struct{ asked chan struct{} }

func (b blocked) Ask(ctx context.Context, _ prompt.Question) (string, error) {
	close(b.asked)
	<-ctx.Done()
	return "", context.Cause(ctx)
}

func (b blocked) Show(context.Context, prompt.Notice) error { return nil }

func TestCancel(t *testing.T) {
	why := errors.New("Escape was pressed")
	t.Run("handshake", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		port := raw(t, func(conn net.Conn) {
			cancel(why)
			hang(conn)
		})
		if _, err := session.Dial(ctx, configFor(t, port, "/nonexistent")); !errors.Is(err, why) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("question", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		server := sshtest.Start(t, sshtest.Config{})
		config := configFor(t, server.Port, server.KnownHosts())
		person := blocked{make(chan struct{})}
		config.Prompter = person
		go func() {
			<-person.asked
			cancel(why)
		}()
		if _, err := session.Dial(ctx, config); !errors.Is(err, why) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("before", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if _, err := session.Dial(ctx, configFor(t, 22, "/nonexistent")); !errors.Is(err, why) {
			t.Errorf("error is %v", err)
		}
	})
}

// slow is a person who thinks for longer than a server may.
type slow struct{ *sshtest.Person }

func (s slow) Ask(ctx context.Context, q prompt.Question) (string, error) {
	<-time.After(3 * short().Turn)
	return s.Person.Ask(ctx, q)
}

func TestSlowPerson(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	_, err := dial(t, server, func(c *session.Config) {
		c.Limits.Turn = short().Turn
		c.Prompter = slow{sshtest.NewPerson(sshtest.Password)}
	})
	if err != nil {
		t.Errorf("the person was too slow: %v", err)
	}
}

// A server that hangs, or goes, between two steps of the authentication.
func TestDuringAuthentication(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	hangs := sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			<-release
			return nil, errors.New("no")
		}
	}})
	t.Cleanup(hangs.Cut)
	_, err := dial(t, hangs, func(c *session.Config) { c.Limits.Turn = short().Turn })
	if f := failureOf(t, err); !strings.Contains(f.Sentence, "stopped answering") || f.Refused {
		t.Errorf("hangs: %v", f)
	}

	var goes *sshtest.Server
	goes = sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
			goes.Cut()
			return nil, nil
		}
	}})
	_, err = dial(t, goes, nil)
	if f := failureOf(t, err); !strings.Contains(f.Sentence, "was lost during the login") || f.Refused {
		t.Errorf("goes: %v", f)
	}

	var expired *sshtest.Server
	expired = sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(conn ssh.ConnMetadata, _ []byte) (*ssh.Permissions, error) {
			conn.(ssh.ServerPreAuthConn).SendAuthBanner("Your account has expired.\n")
			expired.Cut()
			return nil, nil
		}
	}})
	_, err = dial(t, expired, nil)
	if f := failureOf(t, err); !f.Refused || !strings.HasSuffix(f.Sentence, "It says: Your account has expired.") {
		t.Errorf("closes with a reason: %v", f)
	}

	_, err = dial(t, sshtest.Start(t, sshtest.Config{}), func(c *session.Config) { c.Prompter = sshtest.NewPerson() })
	if !errors.Is(err, sshtest.ErrGaveUp) {
		t.Errorf("the person gives up: %v", err)
	}

	_, err = dial(t, sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) { c.MaxAuthTries = 1 }}),
		func(c *session.Config) { c.Prompter = sshtest.NewPerson("wrong"); c.Tries = 3 })
	if f := failureOf(t, err); !f.Refused || !strings.Contains(f.Sentence, "too many authentication failures") {
		t.Errorf("disconnects: %v", f)
	}
}

// Secrets are in no log and in no error.
func TestNoSecrets(t *testing.T) {
	var log bytes.Buffer
	server := sshtest.Start(t, sshtest.Config{})
	for _, answer := range []string{sshtest.Password, "other secret"} {
		_, err := dial(t, server, func(c *session.Config) {
			c.Prompter = sshtest.NewPerson(answer)
			c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		if err != nil {
			log.WriteString(err.Error())
		}
		if strings.Contains(log.String(), answer) {
			t.Errorf("%q in %s", answer, log.String())
		}
	}
}
