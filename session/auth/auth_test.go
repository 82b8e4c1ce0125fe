package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"goldm/internal/failure"
	"goldm/session/auth"
	"goldm/session/internal/sshtest"
	"goldm/session/prompt"
)

// login logs in to a server with these answers.
func login(t *testing.T, server *sshtest.Server, person *sshtest.Person, change func(*auth.Config)) error {
	t.Helper()
	config := auth.Config{
		User:     sshtest.User,
		Server:   "server",
		Prompter: person,
		Log:      slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	dialogue, err := auth.New(context.Background(), config)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", server.Address())
	if err != nil {
		t.Fatal(err)
	}
	sshConfig := &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	dialogue.Apply(sshConfig)
	client, channels, requests, err := ssh.NewClientConn(conn, "server:22", sshConfig)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for range channels {
		}
	}()
	err = dialogue.Finish()
	client.Close()
	return err
}

// interactive makes a server ask by keyboard-interactive only.
func interactive(ask func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error) sshtest.Config {
	return sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = nil
		c.KeyboardInteractiveCallback = func(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			return nil, ask(conn, challenge)
		}
	}}
}

var errNo = errors.New("no")

// ask is one question of PAM.
func ask(challenge ssh.KeyboardInteractiveChallenge, instruction, question string) (string, error) {
	answers, err := challenge("", instruction, []string{question}, []bool{false})
	if err != nil {
		return "", err
	}
	return answers[0], nil
}

func failureOf(t *testing.T, err error) *failure.Failure {
	t.Helper()
	var f *failure.Failure
	if !errors.As(err, &f) {
		t.Fatalf("error is %v, want a failure", err)
	}
	return f
}

func wantRefused(t *testing.T, err error, sentence string) {
	t.Helper()
	if f := failureOf(t, err); !f.Refused || f.Sentence != sentence {
		t.Errorf("refused %v, %q; want %q", f.Refused, f.Sentence, sentence)
	}
}

const notAccepted = "The server did not accept this user name and password. Try again."

func TestPassword(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	person := sshtest.NewPerson(sshtest.Password)
	if err := login(t, server, person, nil); err != nil {
		t.Fatal(err)
	}
	want := []any{prompt.Question{Text: "Password: "}}
	if d := cmp.Diff(want, person.Seen()); d != "" {
		t.Error(d)
	}
}

// A wrong answer is sent once, and as it was given.
func TestWrongPassword(t *testing.T) {
	for _, wrong := range []string{"", " correct horse", "correct horse ", "wrong", strings.Repeat("x", 10<<10)} {
		server := sshtest.Start(t, sshtest.Config{})
		err := login(t, server, sshtest.NewPerson(wrong, sshtest.Password), nil)
		wantRefused(t, err, notAccepted)
		if got := server.Passwords(); !slices.Equal(got, []string{wrong}) {
			t.Errorf("%.20q arrived as %.40q", wrong, got)
		}
		if strings.Contains(err.Error(), wrong) && wrong != "" {
			t.Error("the answer is in the error")
		}
	}
}

func TestTries(t *testing.T) {
	three := func(c *auth.Config) { c.Tries = 3 }
	server := sshtest.Start(t, sshtest.Config{})
	person := sshtest.NewPerson("a", "b", sshtest.Password)
	if err := login(t, server, person, three); err != nil {
		t.Fatal(err)
	}
	again := prompt.Notice{Text: "The server did not accept this. Try again.", Error: true}
	question := prompt.Question{Text: "Password: "}
	if d := cmp.Diff([]any{question, again, question, again, question}, person.Seen()); d != "" {
		t.Error(d)
	}
	wantRefused(t, login(t, server, sshtest.NewPerson("a", "b", "c", sshtest.Password), three), notAccepted)
}

func TestUserNames(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	for name, user := range map[string]string{
		"blanks": " an na ", "dash": "-oProxyCommand=id", "domain": `SCHOOL\anna`, "unicode": "änne", "long": strings.Repeat("x", 255),
	} {
		login(t, server, sshtest.NewPerson("x"), func(c *auth.Config) { c.User = user })
		if got := server.Users(); len(got) == 0 || got[len(got)-1] != user {
			t.Errorf("%s: the server saw %q", name, got)
		}
	}
	seen := len(server.Users())
	for name, user := range map[string]string{
		"empty": "", "NUL": "an\x00na", "line feed": "anna\n", "C1": "anna\u009b", "10 kB": strings.Repeat("x", 10<<10), "not UTF-8": "\xff",
	} {
		err := login(t, server, sshtest.NewPerson("x"), func(c *auth.Config) { c.User = user })
		if f := failureOf(t, err); !f.Refused {
			t.Errorf("%s: %v", name, f)
		}
	}
	if len(server.Users()) != seen {
		t.Error("a name that no server can take was sent")
	}
}

// What the server asks arrives as it is, in order, and so do the answers.
func TestInteractive(t *testing.T) {
	var answers []string
	server := sshtest.Start(t, interactive(func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
		first, err := challenge("Two factors", "Have your token ready.", []string{"Passwort für anna: ", "Code:\t"}, []bool{false, true})
		if err != nil {
			return err
		}
		if _, err := challenge("", "Look at your telephone.", nil, nil); err != nil {
			return err
		}
		second, err := challenge("", "", []string{""}, []bool{true})
		answers = append(first, second...)
		return err
	}))
	person := sshtest.NewPerson(" geheim ", "", "ja")
	if err := login(t, server, person, nil); err != nil {
		t.Fatal(err)
	}
	want := []any{
		prompt.Notice{Text: "Two factors\nHave your token ready."},
		prompt.Question{Text: "Passwort für anna: "},
		prompt.Question{Text: "Code:\t", Echo: true},
		prompt.Notice{Text: "Look at your telephone."},
		prompt.Question{Text: "", Echo: true},
	}
	if d := cmp.Diff(want, person.Seen()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{" geheim ", "", "ja"}, answers); d != "" {
		t.Error(d)
	}
}

// The server's own reason is in the sentence, harmless.
func TestReason(t *testing.T) {
	banner := func(challenge ssh.KeyboardInteractiveChallenge) error {
		if _, err := ask(challenge, "", "Password: "); err != nil {
			return err
		}
		return &ssh.BannerError{Err: errNo, Message: "Your account has expired.\x1b[2J\r\n"}
	}
	instruction := func(challenge ssh.KeyboardInteractiveChallenge) error {
		if _, err := ask(challenge, "Welcome.", "Password: "); err != nil {
			return err
		}
		challenge("", "Your account has expired.", nil, nil)
		return errNo
	}
	for name, give := range map[string]func(ssh.KeyboardInteractiveChallenge) error{"banner": banner, "instruction": instruction} {
		t.Run(name, func(t *testing.T) {
			server := sshtest.Start(t, interactive(func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
				return give(challenge)
			}))
			err := login(t, server, sshtest.NewPerson("x"), nil)
			wantRefused(t, err, "The server server did not let you in. It says: Your account has expired.")
		})
	}
}

// A banner before the first question is to be read; it is no reason.
func TestBanner(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.BannerCallback = func(ssh.ConnMetadata) string { return "Authorised users only.\n" }
	}})
	person := sshtest.NewPerson("wrong")
	wantRefused(t, login(t, server, person, nil), notAccepted)
	want := []any{prompt.Notice{Text: "Authorised users only.\n"}, prompt.Question{Text: "Password: "}}
	if d := cmp.Diff(want, person.Seen()); d != "" {
		t.Error(d)
	}
}

// Questions are preferred to the plain password where a server has both, and
// the password is there where the questions do not come about.
func TestMethods(t *testing.T) {
	both := func(challenge func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error)) func(*ssh.ServerConfig) {
		return func(c *ssh.ServerConfig) { c.KeyboardInteractiveCallback = challenge }
	}
	asked := both(func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		_, err := ask(challenge, "", "Code: ")
		return nil, err
	})
	broken := both(func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) { return nil, errNo })
	for want, configure := range map[string]func(*ssh.ServerConfig){"Code: ": asked, "Password: ": broken} {
		server := sshtest.Start(t, sshtest.Config{Configure: configure})
		person := sshtest.NewPerson(sshtest.Password)
		if err := login(t, server, person, nil); err != nil {
			t.Errorf("%s: %v", want, err)
		}
		if d := cmp.Diff([]any{prompt.Question{Text: want}}, person.Seen()); d != "" {
			t.Error(d)
		}
	}
}

func keysOnly(good ssh.PublicKey) sshtest.Config {
	return sshtest.Config{Configure: func(c *ssh.ServerConfig) {
		c.PasswordCallback = nil
		c.PublicKeyCallback = func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(good.Marshal()) {
				return nil, errNo
			}
			return nil, nil
		}
	}}
}

func TestKeys(t *testing.T) {
	good, bad := sshtest.NewKey(t), sshtest.NewKey(t)
	server := sshtest.Start(t, keysOnly(good.PublicKey()))
	offer := func(keys ...ssh.Signer) func(*auth.Config) {
		return func(c *auth.Config) {
			c.Keys = func(context.Context) ([]ssh.Signer, error) { return keys, nil }
		}
	}
	if err := login(t, server, sshtest.NewPerson(), offer(bad, good)); err != nil {
		t.Error(err)
	}
	wantRefused(t, login(t, server, sshtest.NewPerson(), offer(bad)),
		"The server server does not let the user anna in. Ask the administrator.")
	f := failureOf(t, login(t, server, sshtest.NewPerson(), nil))
	if f.Refused || !strings.Contains(f.Sentence, "no way to log in") {
		t.Errorf("without keys: %v", f)
	}
}

// A key first, then a code: AuthenticationMethods publickey,keyboard-interactive.
func TestPartialSuccess(t *testing.T) {
	key := sshtest.NewKey(t)
	code := "123456"
	config := keysOnly(key.PublicKey())
	configure := config.Configure
	config.Configure = func(c *ssh.ServerConfig) {
		configure(c)
		c.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
				KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
					if got, err := ask(challenge, "", "Code: "); err != nil || got != code {
						return nil, errNo
					}
					return nil, nil
				},
			}}
		}
	}
	server := sshtest.Start(t, config)
	keys := func(c *auth.Config) {
		c.Keys = func(context.Context) ([]ssh.Signer, error) { return []ssh.Signer{key}, nil }
	}
	if err := login(t, server, sshtest.NewPerson(code), keys); err != nil {
		t.Error(err)
	}
	wantRefused(t, login(t, server, sshtest.NewPerson("wrong"), keys),
		"The server server accepted the first step of the login, but did not accept the answer to the next one. Try again.")
}

func TestGivingUp(t *testing.T) {
	server := sshtest.Start(t, sshtest.Config{})
	if err := login(t, server, sshtest.NewPerson(), nil); !errors.Is(err, sshtest.ErrGaveUp) {
		t.Errorf("error is %v", err)
	}
	if got := server.Passwords(); len(got) > 0 {
		t.Errorf("the server got %q", got)
	}
}

// A server that never stops asking or talking is told to stop.
func TestEndless(t *testing.T) {
	endless := func(instruction string, questions int, question string) func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error {
		return func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
			for {
				if _, err := challenge("", instruction, slices.Repeat([]string{question}, questions), make([]bool, questions)); err != nil {
					return err
				}
			}
		}
	}
	for name, ask := range map[string]func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error{
		"rounds":         endless("", 0, ""),
		"questions":      endless("", 60, "Again? "),
		"huge text":      endless(strings.Repeat("x", 200<<10), 0, ""),
		"huge questions": endless("", 1, strings.Repeat("x", 100<<10)),
		"some text":      endless(strings.Repeat("x", 4<<10), 1, ""),
	} {
		t.Run(name, func(t *testing.T) {
			server := sshtest.Start(t, interactive(ask))
			person := sshtest.NewPerson(slices.Repeat([]string{"x"}, 1000)...)
			f := failureOf(t, login(t, server, person, nil))
			if f.Refused || !strings.Contains(f.Sentence, "asks or says more than a login needs") {
				t.Errorf("failure %v", f)
			}
			if n := len(person.Seen()); n > 150 {
				t.Errorf("the person saw %d texts", n)
			}
		})
	}
}

func TestEndlessBanners(t *testing.T) {
	for _, size := range []int{0, 60 << 10} {
		server := sshtest.Start(t, interactive(func(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
			sender, ok := conn.(ssh.ServerPreAuthConn)
			for ok {
				if err := sender.SendAuthBanner(strings.Repeat("x", size)); err != nil {
					return err
				}
			}
			return fmt.Errorf("%T sends no banners", conn)
		}))
		f := failureOf(t, login(t, server, sshtest.NewPerson("x"), nil))
		if !strings.Contains(f.Sentence, "asks or says more than a login needs") {
			t.Errorf("banners of %d bytes: %v", size, f)
		}
	}
}

// FuzzInteractive lets a server ask anything.
func FuzzInteractive(f *testing.F) {
	f.Add("", "Password: ", uint8(1), uint8(1))
	f.Add("name\x1b[2J", "\xff\u202e", uint8(200), uint8(3))
	f.Fuzz(func(t *testing.T, instruction, question string, questions, rounds uint8) {
		person := sshtest.NewPerson(slices.Repeat([]string{"x"}, 100)...)
		dialogue, err := auth.New(context.Background(), auth.Config{User: "anna", Server: "server", Prompter: person, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for range rounds {
			answers, err := auth.Challenge(dialogue, "", instruction, slices.Repeat([]string{question}, int(questions)), make([]bool, questions))
			if err != nil {
				if _, ok := errors.AsType[*failure.Failure](err); !ok && !errors.Is(err, sshtest.ErrGaveUp) {
					t.Errorf("error without a sentence: %v", err)
				}
				break
			}
			if len(answers) != int(questions) {
				t.Errorf("%d answers to %d questions", len(answers), questions)
			}
			asked += len(answers)
		}
		for _, seen := range person.Seen() {
			if q, ok := seen.(prompt.Question); ok && !strings.HasSuffix(question, q.Text) {
				t.Errorf("asked %q, want the end of %q", q.Text, question)
			}
		}
		if asked > 100 {
			t.Errorf("%d questions were asked", asked)
		}
	})
}
