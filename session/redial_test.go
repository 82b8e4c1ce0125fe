package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"goldm/session"
	"goldm/session/internal/sshtest"
	"goldm/session/prompt"
)

// during is a person during whose questions something happens.
type during struct {
	*sshtest.Person
	question func()
}

func (d during) Ask(ctx context.Context, q prompt.Question) (string, error) {
	d.question()
	return d.Person.Ask(ctx, q)
}

// cut closes the server's connections and waits until the client must have noticed.
func cut(server *sshtest.Server) {
	server.Cut()
	time.Sleep(100 * time.Millisecond)
}

// asking makes a server ask these questions, one after the other, and want "right" each time.
func asking(questions func(connection int) []string) sshtest.Config {
	var connections atomic.Int32
	return sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = nil
		c.BannerCallback = func(ssh.ConnMetadata) string { return "Authorised users only.\n" }
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			for _, q := range questions(int(connections.Add(1))) {
				answers, err := challenge("", "", []string{q}, []bool{false})
				if err != nil {
					return nil, err
				}
				if answers[0] != "right" {
					return nil, errors.New("wrong")
				}
			}
			return nil, nil
		}
	}}
}

var (
	banner = prompt.Notice{Text: "Authorised users only.\n"}
	anew   = prompt.Notice{Text: "The server did not wait for the answer. It asks anew.", Error: true}
)

// A server that closes while a question is open is called again when the answer is
// there, which counts only if the server begins with the same question.
func TestServerThatDoesNotWait(t *testing.T) {
	for name, tt := range map[string]struct {
		questions func(connection int) []string
		cutAt     int // the question at which it closes
		answers   []string
		seen      []any
	}{
		"same question": {
			questions: func(int) []string { return []string{"Password: "} },
			cutAt:     1,
			answers:   []string{"right"},
			seen:      []any{banner, prompt.Question{Text: "Password: "}},
		},
		"another question": {
			questions: func(n int) []string { return []string{[]string{"", "Password: ", "Code: "}[n]} },
			cutAt:     1,
			answers:   []string{"wrong", "right"},
			seen:      []any{banner, prompt.Question{Text: "Password: "}, anew, prompt.Question{Text: "Code: "}},
		},
		"second question": {
			questions: func(int) []string { return []string{"Password: ", "Password: "} },
			cutAt:     2,
			answers:   []string{"right", "wrong", "right", "right"},
			seen: []any{banner, prompt.Question{Text: "Password: "}, prompt.Question{Text: "Password: "}, anew,
				prompt.Question{Text: "Password: "}, prompt.Question{Text: "Password: "}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := sshtest.Start(t, asking(tt.questions))
			asked := 0
			person := during{sshtest.NewPerson(tt.answers...), func() {
				if asked++; asked == tt.cutAt {
					cut(server)
				}
			}}
			if _, err := dial(t, server, func(c *session.Config) { c.Prompter = person }); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.seen, person.Seen()); d != "" {
				t.Error(d)
			}
		})
	}
}

// An answer that met the end of the connection on its way is sent again, once.
func TestAnswerThatCrossesTheEnd(t *testing.T) {
	for ends, want := range map[int32]int32{1: 2, 5: 2} {
		var server *sshtest.Server
		var heard atomic.Int32
		server = sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
			c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
				if heard.Add(1) <= ends {
					server.Cut()
				}
				return nil, nil
			}
		}})
		person := sshtest.NewPerson(sshtest.Password)
		_, err := dial(t, server, func(c *session.Config) { c.Prompter = person })
		if (err == nil) != (ends == 1) || heard.Load() != want || len(person.Seen()) != 1 {
			t.Errorf("%d ends: %v; heard %d answers to %d questions", ends, err, heard.Load(), len(person.Seen()))
		}
	}
}

func TestServerThatNeverWaits(t *testing.T) {
	server := sshtest.Start(t, asking(func(int) []string { return []string{"a", "b"} }))
	asked := 0
	person := during{sshtest.NewPerson(slices.Repeat([]string{"right"}, 100)...), func() {
		if asked++; asked%2 == 0 {
			cut(server)
		}
	}}
	_, err := dial(t, server, func(c *session.Config) { c.Prompter = person })
	if f := failureOf(t, err); !strings.Contains(f.Sentence, "again and again") {
		t.Errorf("failure %v", f)
	}
}

// A connection is not kept while the person thinks about the first question.
func TestHold(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	person := during{sshtest.NewPerson(sshtest.Password), func() {
		for deadline := time.Now().Add(time.Minute); server.Open() > 0; {
			if time.Now().After(deadline) {
				t.Error("the connection was kept")
				return
			}
			time.Sleep(time.Millisecond)
		}
	}}
	if _, err := dial(t, server, func(c *session.Config) { c.Prompter, c.Limits.Hold = person, time.Millisecond }); err != nil {
		t.Fatal(err)
	}
	if want := []any{prompt.Question{Text: "Password: "}}; cmp.Diff(want, person.Seen()) != "" || len(server.Passwords()) != 1 {
		t.Errorf("the person saw %v, the server %d passwords", person.Seen(), len(server.Passwords()))
	}
}

// The keys are asked for once, however often the server is called.
func TestHoldWithKeys(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, errors.New("no") }
	}})
	called := 0
	_, err := dial(t, server, func(c *session.Config) {
		c.Prompter = during{sshtest.NewPerson(sshtest.Password), func() { cut(server) }}
		c.Keys = func(context.Context) ([]ssh.Signer, error) { called++; return []ssh.Signer{sshtest.NewKey(t)}, nil }
	})
	if err != nil || called != 1 {
		t.Errorf("keys asked for %d times; %v", called, err)
	}
}

// busyAt first turns so many connections away, in sshd's words, and then passes
// them on to a server.
func busyAt(t *testing.T, times int, words string, server *sshtest.Server) int {
	return raw(t, func(conn net.Conn) {
		if times--; times >= 0 {
			io.WriteString(conn, words)
			return
		}
		through, err := net.Dial("tcp", server.Address())
		if err != nil {
			t.Error(err)
			return
		}
		defer through.Close()
		go func() { io.Copy(through, conn); through.Close() }()
		io.Copy(conn, through)
	})
}

func TestBusy(t *testing.T) {
	key := sshtest.NewKey(t)
	server := sshtest.Start(t, sshtest.Config{Keys: []ssh.Signer{key}})
	for _, words := range []string{"", "Exceeded MaxStartups\r\n", "Not allowed at this time\r\n"} {
		port := busyAt(t, 2, words, server)
		config := configFor(t, port, sshtest.KnownHosts(t, fmt.Sprintf("127.0.0.1:%d", port), key.PublicKey()))
		var told []string
		config.Progress = func(text string) { told = append(told, text) }
		client, err := session.Dial(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		if n := len(slices.DeleteFunc(told, func(text string) bool { return !strings.Contains(text, "busy. Trying again") })); n != 2 {
			t.Errorf("%q: told %d times that the server is busy", words, n)
		}
	}
}

// Who knows another server does not wait for a busy one.
func TestOneTry(t *testing.T) {
	config := configFor(t, raw(t, func(net.Conn) {}), "/nonexistent")
	config.OneTry = true
	_, err := session.Dial(t.Context(), config)
	if session.Patience(err) == 0 || !errors.Is(err, session.ErrUnreachable) {
		t.Errorf("error is %v", err)
	}
	if session.Patience(errors.New("x")) != 0 || session.Patience(nil) != 0 {
		t.Error("patience with anything")
	}
}

// A busy server can be given up at any moment.
func TestCancelWhileBusy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("Escape was pressed")
	config := configFor(t, raw(t, say("Exceeded MaxStartups\r\n", func(net.Conn) {})), "/nonexistent")
	config.Progress = func(text string) {
		if strings.Contains(text, "busy") {
			cancel(why)
		}
	}
	if _, err := session.Dial(ctx, config); !errors.Is(err, why) {
		t.Errorf("error is %v", err)
	}
}
