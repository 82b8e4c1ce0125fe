package worker_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"goldm/ldm/wire"
	"goldm/session/internal/sshtest"
)

// mounted is a packet of a type that nobody looks at.
const mounted = "\x00\x00\x00\x05\xc9\x00\x00\x00\x00"

// sftp answers what the worker asks of the home, and then sends one packet for another.
func sftp(home string) func(string, ssh.Channel) {
	return func(name string, channel ssh.Channel) {
		for _, answer := range []struct {
			reads int
			says  string
		}{
			{9, "\x00\x00\x00\x05\x02\x00\x00\x00\x03"},
			{14, "\x00\x00\x00" + string(rune(21+len(home))) + "\x68\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00" + string(rune(len(home))) + home + strings.Repeat("\x00", 8)},
			{13 + len(home), "\x00\x00\x00\x0a\x66\x00\x00\x00\x01\x00\x00\x00\x017"},
			{14, "\x00\x00\x00\x09\x65\x00\x00\x00\x01\x00\x00\x00\x00"},
			{9, mounted},
		} {
			if _, err := io.ReadFull(channel, make([]byte, answer.reads)); err != nil {
				return
			}
			io.WriteString(channel, answer.says)
		}
	}
}

// desktop is a session with an SFTP server whose desktop runs until it is told.
func desktop(t *testing.T, subsystem func(string, ssh.Channel)) (*daemon, func()) {
	t.Helper()
	done := make(chan struct{})
	server := sshtest.Start(t, sshtest.Config{Subsystem: subsystem, Exec: func(e *sshtest.Exec) { <-done; e.Exit(0) }})
	d := start(t)
	d.authenticate(login(t, server))
	d.begin(&wire.Start{})
	d.want(&wire.Started{})
	return d, func() {
		t.Helper()
		close(done)
		d.want(&wire.Ended{})
		d.Close() // what has the home has ended
		d.exits()
	}
}

func TestHome(t *testing.T) {
	d, end := desktop(t, sftp("/home/anna"))
	var earlier []io.Reader
	for id := range uint32(3) { // ldm asks again where a mount is gone
		d.send(&wire.NeedHome{ID: id})
		m, ok := d.next().(*wire.Home)
		if !ok || m.ID != id || len(m.Files) != 1 || !slices.Equal(m.Paths, []string{"/home/anna"}) {
			t.Fatalf("got %+v; the log:\n%s", m, d.log)
		}
		defer wire.CloseFiles(m)
		io.WriteString(m.Files[0], "\x00\x00\x00\x05\x01\x00\x00\x00\x03"+mounted)
		greeting := make([]byte, 9+len(mounted))
		if _, err := io.ReadFull(m.Files[0], greeting); err != nil || !strings.HasSuffix(string(greeting), mounted) {
			t.Fatalf("%q, %v", greeting, err)
		}
		earlier = append(earlier, m.Files[0])
	}
	end()
	for _, f := range earlier {
		if _, err := io.Copy(io.Discard, f); err != nil {
			t.Error(err)
		}
	}
}

func TestNoHome(t *testing.T) {
	d, end := desktop(t, nil)
	d.send(&wire.NeedHome{ID: 7})
	m, ok := d.next().(*wire.Home)
	if !ok || m.ID != 7 || len(m.Paths)+len(m.Files) > 0 || !strings.Contains(m.Detail, "refused") {
		t.Errorf("got %+v", m)
	}
	end()
}
