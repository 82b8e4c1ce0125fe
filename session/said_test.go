package session

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A server can neither fill our log nor forge a line of it, and is heard again later.
func TestAttackSaid(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	s := newSaid(slog.New(slog.NewTextHandler(&out, nil)), "display")
	s.now = func() time.Time { return now }
	s.Write([]byte("sh: a shell's\n"))
	if out.Len() > 0 {
		t.Errorf("logged before its time: %s", out.String())
	}
	s.release()
	s.Write([]byte("a\x1b[2J" + strings.Repeat("x", 10_000)))
	s.Write([]byte("tail level=ERROR msg=forged\r\ttime=\n\n"))
	for range 1000 {
		s.Write([]byte("again\n"))
	}
	if got := strings.Count(out.String(), "\n"); got != saidBurst || len(out.String()) > saidBurst*200+maxSaidLine {
		t.Errorf("%d lines, %d bytes", got, out.Len())
	}
	if strings.Contains(out.String(), "forged") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("logged: %.600s", out.String())
	}
	now = now.Add(2 * saidEvery)
	s.Write([]byte("later\n"))
	if !strings.Contains(out.String(), "text=later left_out=982") {
		t.Error(out.String()[len(out.String())-200:])
	}
}
