package session_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"goldm/internal/via"
	"goldm/session"
	"goldm/session/internal/sshtest"
	"goldm/session/prompt"
)

// expired is a server on which a password has expired, and its passwd.
type expired struct {
	password atomic.Value // string; the current one
	fresh    atomic.Bool  // it was changed
	runs     atomic.Int32 // of passwd
}

func startExpired(t *testing.T) (*expired, *sshtest.Server) {
	e := new(expired)
	e.password.Store(sshtest.Password)
	return e, sshtest.Start(t, sshtest.Config{Exec: e.exec, Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(conn ssh.ConnMetadata, given []byte) (*ssh.Permissions, error) {
			if string(given) != e.password.Load() {
				return nil, errors.New("wrong")
			}
			if !e.fresh.Load() {
				conn.(ssh.ServerPreAuthConn).SendAuthBanner("You are required to change your password.\n")
			}
			return nil, nil
		}
	}})
}

func (e *expired) exec(x *sshtest.Exec) {
	switch {
	case e.fresh.Load() && x.Line == "exit 77":
		x.Exit(77)
	case e.fresh.Load():
		x.Exit(0)
	case !x.Terminal:
		io.WriteString(x.Stderr(), "WARNING: Your password has expired.\nPassword change required but no TTY available.\n")
		x.Exit(1)
	default:
		e.runs.Add(1)
		e.passwd(x)
	}
}

func (e *expired) passwd(x *sshtest.Exec) {
	typed := bufio.NewScanner(x)
	ask := func(question string) string {
		fmt.Fprint(x, question)
		typed.Scan()
		fmt.Fprint(x, "\r\n")
		return typed.Text()
	}
	if ask("Current password: ") != e.password.Load() {
		fmt.Fprint(x, "passwd: unchanged\r\n")
		x.Exit(10)
		return
	}
	e.password.Store(ask("New password: "))
	ask("Retype new password: ")
	e.fresh.Store(true)
	fmt.Fprint(x, "passwd: done\r\n")
	x.Exit(0)
}

var (
	required = prompt.Notice{Text: "You are required to change your password.\n"}
	current  = prompt.Question{Text: "Current password: "}
	fresh    = prompt.Question{Text: "New password: "}
	retype   = prompt.Question{Text: "Retype new password: "}
)

// The person answers passwd, and is then logged in with the new password.
func TestExpiredPassword(t *testing.T) {
	e, server := startExpired(t)
	person := sshtest.NewPerson(sshtest.Password, "wrong", sshtest.Password, "new secret", "new secret")
	client, err := dial(t, server, func(c *session.Config) { c.Prompter = person })
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		prompt.Question{Text: "Password: "}, required, current,
		prompt.Notice{Text: "passwd: unchanged", Error: true}, current, fresh, retype,
		prompt.Notice{Text: "passwd: done"},
	}
	if d := cmp.Diff(want, person.Seen()); d != "" {
		t.Error(d)
	}
	process := client.Command(session.Cmd{Line: "true"})
	if err := errors.Join(process.Start(t.Context()), process.Wait()); err != nil {
		t.Errorf("the connection is good for nothing: %v", err)
	}
	if e.password.Load() != "new secret" || e.runs.Load() != 2 {
		t.Errorf("password %q after %d runs", e.password.Load(), e.runs.Load())
	}
}

func TestExpiredPasswordNotChanged(t *testing.T) {
	_, server := startExpired(t)
	_, err := dial(t, server, func(c *session.Config) { c.Prompter = sshtest.NewPerson(sshtest.Password, "a", "b", "c") })
	if f := failureOf(t, err); !f.Refused || !strings.HasSuffix(f.Sentence, "says: passwd: unchanged") {
		t.Errorf("failure %v", f)
	}
	_, err = dial(t, server, func(c *session.Config) { c.Prompter = sshtest.NewPerson(sshtest.Password) })
	if !errors.Is(err, sshtest.ErrGaveUp) {
		t.Errorf("the person gives up: %v", err)
	}
	_, server = startExpired(t)
	_, err = dial(t, server, func(c *session.Config) {
		c.Prompter = during{sshtest.NewPerson(sshtest.Password, "a"), func() {}}
		c.Progress = func(text string) {
			if strings.HasPrefix(text, "Logging in") {
				t.Error("logs in again")
			}
		}
	})
	if !errors.Is(err, sshtest.ErrGaveUp) {
		t.Errorf("the person gives up later: %v", err)
	}
}

// A banner that means nothing costs a command, and the login goes on; where none
// comes the server is not asked to run anything.
func TestBannerAfterTheLogin(t *testing.T) {
	for _, text := range []string{"Your password will expire in 3 days.\n", ""} {
		var ran atomic.Int32
		server := sshtest.Start(t, sshtest.Config{
			Exec: func(x *sshtest.Exec) { ran.Add(1); x.Exit(77) },
			Configure: func(c *ssh.ServerConfig) {
				c.BannerCallback = func(ssh.ConnMetadata) string { return "Authorised users only.\n" }
				c.PasswordCallback = func(conn ssh.ConnMetadata, _ []byte) (*ssh.Permissions, error) {
					if text != "" {
						conn.(ssh.ServerPreAuthConn).SendAuthBanner(text)
					}
					return nil, nil
				}
			},
		})
		mustDial(t, server)
		if got := ran.Load(); got > 1 || (got == 1) != (text != "") {
			t.Errorf("%q: %d commands", text, got)
		}
	}
}

// A server that authenticates, but starts no session, says why in place of a command.
func TestNoSession(t *testing.T) {
	refuses := func(x *sshtest.Exec) {
		io.WriteString(x, "Welcome to Debian!\n\x1b[1mThere were too many logins for 'anna'.\n")
		x.Exit(254)
	}
	nothing := func(x *sshtest.Exec) { x.Exit(77) }
	for name, tt := range map[string]struct {
		config   sshtest.Config
		way      via.Way
		sentence string // empty for a login that succeeds
	}{
		"says why":       {sshtest.Config{NoX11: true, Exec: refuses}, via.Forwarded, "does not start a session. It says: There were too many logins for 'anna'."},
		"has no xauth":   {sshtest.Config{NoX11: true, Exec: nothing}, via.Forwarded, "install xauth"},
		"may do without": {sshtest.Config{NoX11: true, Exec: nothing}, via.Auto, ""},
		"forwards":       {sshtest.Config{Exec: refuses}, via.Forwarded, ""},
		"says nothing":   {sshtest.Config{NoX11: true, Exec: func(x *sshtest.Exec) { x.Exit(1) }}, via.Forwarded, ""},
		"runs nothing":   {sshtest.Config{NoX11: true, NoExec: true}, via.Forwarded, ""},
		"ends nothing":   {sshtest.Config{NoX11: true, Exec: func(x *sshtest.Exec) { x.Close() }}, via.Forwarded, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dial(t, sshtest.Start(t, tt.config), func(c *session.Config) { c.X11, c.Way = true, tt.way })
			switch {
			case tt.sentence == "" && err != nil:
				t.Error(err)
			case tt.sentence != "" && !strings.Contains(failureOf(t, err).Sentence, tt.sentence):
				t.Errorf("failure %v", err)
			}
		})
	}
}
