package e2e

import (
	"errors"
	"net"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"goldm/ldm/greetd"
)

// unfriendly is a server that asks and says what it likes.
func (s *station) unfriendly(ask func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error) {
	s.t.Helper()
	h, key := newHostile(s.t)
	h.config.KeyboardInteractiveCallback = func(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		return nil, ask(conn, challenge)
	}
	h.config.PasswordCallback = nil
	s.must(s.Client.WriteFile("/etc/ssh/ssh_known_hosts", []byte("[server]:2222 "+string(ssh.MarshalAuthorizedKey(key))), 0o644))
	s.badServer().now(func(c net.Conn) { ssh.NewServerConn(c, h.config) })
	s.configure(xvfb, "LDM_SERVER=server:2222")
}

var errUnfriendly = errors.New("not you")

const (
	nasty    = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u2066\x00\x9b31m<b>&amp;</b> ä€密 \r\nzwei"
	harmless = "gnp.exe\ufffd31m<b>&amp;</b> ä€密 \nzwei"
)

// Several questions of one round, each as it is, with what is dangerous in them taken out.
func TestTextsAreHarmless(t *testing.T) {
	s := newStation(t)
	s.unfriendly(func(conn ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) error {
		if err := conn.(ssh.ServerPreAuthConn).SendAuthBanner("Banner " + nasty); err != nil {
			return err
		}
		_, err := ask("Name "+nasty, "Instruction "+nasty, []string{"Secret " + nasty + ": ", "Code: ", "نعم\tלא ", ""}, []bool{false, true, true, false})
		if err != nil {
			return err
		}
		return &ssh.BannerError{Err: errUnfriendly, Message: "Reason " + nasty}
	})
	s.start()
	s.refused("anna", "It says: Reason "+harmless,
		info("Banner "+harmless),
		info("Name "+harmless+"\nInstruction "+harmless),
		info("Secret "+strings.TrimSuffix(harmless, "\nzwei")),
		secret("zwei: ", "a"), visible("Code: ", "b"), visible("نعم לא ", "c"), secret("", "d"))
}

// However much a server says, what is shown of it is bounded, and the next login works.
func TestTextsAreBounded(t *testing.T) {
	s := newStation(t)
	var ask func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error
	s.unfriendly(func(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
		return ask(conn, challenge)
	})
	s.start()
	round := func(instruction, question string) func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error {
		return func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
			_, err := challenge("", instruction, []string{question}, []bool{true})
			return errors.Join(err, errUnfriendly)
		}
	}
	banners := func(conn ssh.ConnMetadata, _ ssh.KeyboardInteractiveChallenge) error {
		for range 1000 {
			if err := conn.(ssh.ServerPreAuthConn).SendAuthBanner(strings.Repeat("banner ", 1000)); err != nil {
				return err
			}
		}
		return nil
	}
	for name, unfriendly := range map[string]func(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) error{
		"long question":         round("", strings.Repeat("ä", 4000)),
		"many lines":            round(strings.Repeat("line\n", 20_000), "Code: "),
		"quarter of a megabyte": round(strings.Repeat("x", 250<<10), "Code: "),
		"banners":               banners,
	} {
		ask = unfriendly
		response := s.call(s.dial(), &greetd.CreateSession{Username: "anna"})
		text := ""
		switch r := response.(type) {
		case *greetd.AuthMessage:
			text = r.Text
		case *greetd.Error:
			text = r.Description
		}
		if n := utf8.RuneCountInString(text); n == 0 || n > 4000 {
			t.Errorf("%s: %d characters", name, n)
		}
	}
	ask = func(_ ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) error {
		_, err := challenge("", "", []string{"Code: "}, []bool{true})
		return err
	}
	s.succeeds("anna", visible("Code: ", "1"))
}
