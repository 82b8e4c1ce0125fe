package probe

import (
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"goldm/ldm/wire"
)

func TestGreeting(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"sshd", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n", wire.Up},
		{"both versions", "SSH-1.99-Cisco-1.25\n", wire.Up},
		{"lines before it", "Welcome.\r\nBe quick.\r\nSSH-2.0-x\r\n", wire.Up},
		{"over MaxStartups", "Exceeded MaxStartups\r\n", wire.Busy},
		{"a penalty", "Not allowed at this time\r\n", wire.Busy},
		{"not a word", "", wire.Busy},
		{"version 1", "SSH-1.5-x\r\n", wire.Down},
		{"half a version", "SSH-2.0-x", wire.Down},
		{"a version without an end", "SSH-2.0-" + strings.Repeat("x", 1000), wire.Down},
		{"mail", "220 mail ESMTP\r\n", wire.Down},
		{"talk without an end", strings.Repeat("hello\n", 1000), wire.Down},
		{"one line without an end", strings.Repeat("a", 1<<20), wire.Down},
		{"noise", "\x00\xff\x1b[2J\n", wire.Down},
	}
	for _, tt := range tests {
		state, err := greeting(iotest.OneByteReader(strings.NewReader(tt.in)))
		if state != tt.want || (err == nil) != (state == wire.Up) {
			t.Errorf("%s: %q, %v, want %q", tt.name, state, err, tt.want)
		}
		if err != nil && (len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\n") || !utf8.ValidString(err.Error())) {
			t.Errorf("%s: the reason is not fit for a log: %q", tt.name, err)
		}
	}
}

func FuzzGreeting(f *testing.F) {
	f.Add([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
	f.Add([]byte("Exceeded MaxStartups\r\n"))
	f.Add([]byte("\x00\nSSH-2.0-x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		state, err := greeting(strings.NewReader(string(in)))
		switch {
		case (state == wire.Up) != (err == nil):
			t.Fatalf("%q, %v", state, err)
		case state == wire.Up && !strings.Contains(string(in), "SSH-"):
			t.Fatalf("%q is up", in)
		case err != nil && len(err.Error()) > 2000:
			t.Fatalf("a reason of %d bytes", len(err.Error()))
		}
	})
}
