package ldm

import (
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"goldm/internal/logs"
)

// said returns what ldm logs of a child that writes a text.
func said(t *testing.T, open func(*slog.Logger) (*output, *os.File, error), text string) string {
	t.Helper()
	var log strings.Builder
	out, file, err := open(slog.New(slog.NewTextHandler(&log, nil)).With("process", "worker", "login", "ABC"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, text); err != nil {
		t.Fatal(err)
	}
	file.Close()
	out.close()
	return log.String()
}

// A long line is logged by its head. What is logged of the rest would be of the
// choice of whoever made the line long.
func TestAttackForgedByALongLine(t *testing.T) {
	forged := `time=2026-01-01T00:00:00Z level=INFO msg=authenticated server=forged `
	for _, length := range []int{1000, 4000, 4096, 32 << 10, 100_000} {
		// In whatever buffer the tail comes last, it is the whole of it.
		text := "head " + strings.Repeat("x", length) + strings.Repeat(forged, 1000) + "\nnext\n"
		for name, open := range map[string]func(*slog.Logger) (*output, *os.File, error){"plain": newOutput, "framed": newFramedOutput} {
			log := said(t, open, text)
			if strings.Contains(log, "authenticated") || !strings.Contains(log, `line="head xxx`) || !strings.Contains(log, "cut=true") || !strings.Contains(log, "line=next") {
				t.Errorf("%s, %d: %.300s", name, length, log)
			}
		}
	}
}

// Whatever a child writes is in a record that says whose words they are.
func TestAttackForgedRecord(t *testing.T) {
	for _, line := range []string{
		"time=2026-01-01T00:00:00Z level=ERROR msg=authenticated process=ldm",
		"x\" msg=authenticated process=ldm y=\"",
		"\x1b[2Kx\rmsg=authenticated\u2028msg=authenticated\u0085msg=authenticated",
		`{"level":"INFO","msg":"authenticated","process":"ldm","login":"other"}`,
		`{"level":"INFO","msg":"ended\" msg=authenticated","msg":"authenticated"}`,
		`{"level":"INFO","msg":"x","login":"a","login":"b","said.msg":"authenticated"}`,
	} {
		for name, open := range map[string]func(*slog.Logger) (*output, *os.File, error){"plain": newOutput, "framed": newFramedOutput} {
			log := said(t, open, line+"\n")
			if n := strings.Count(log, "\n"); n != 1 || strings.ContainsAny(log, "\r\x1b\u2028\u0085") {
				t.Errorf("%s: %d lines: %q", name, n, log)
			}
			_, record, _ := strings.Cut(log, " level=INFO ")
			if !strings.HasPrefix(record, `msg=says process=worker login=ABC `) {
				t.Errorf("%s: %s", name, log)
			}
			if rest := strings.TrimPrefix(record, `msg=says process=worker login=ABC `); !strings.HasPrefix(rest, "line=") && !strings.HasPrefix(rest, "said.msg=") {
				t.Errorf("%s: %s", name, log)
			}
		}
	}
}

// Our own child keeps the level of its lines; what is no frame is a plain line.
func TestFramedOutput(t *testing.T) {
	var text strings.Builder
	child := slog.New(logs.NewHandler(&text, slog.LevelDebug, true)).With("login", "ABC")
	child.Error("connection lost", "err", "cut")
	child.Debug("not wanted here")
	text.WriteString("panic: no frame\n")
	child.Warn("last")
	log := said(t, newFramedOutput, text.String())
	for _, want := range []string{
		`level=ERROR msg=says process=worker login=ABC said.msg="connection lost" said.login=ABC said.err=cut`,
		`level=INFO msg=says process=worker login=ABC line="panic: no frame"`,
		`level=WARN msg=says process=worker login=ABC said.msg=last`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in:\n%s", want, log)
		}
	}
	if n := strings.Count(log, "\n"); n != 3 {
		t.Errorf("%d lines", n)
	}
}

// Nothing that is said, however often, keeps what comes later from the log.
func TestAttackSilencedLog(t *testing.T) {
	var text strings.Builder
	child := slog.New(logs.NewHandler(&text, slog.LevelInfo, true))
	const flood = 5000
	for i := range flood {
		child.Warn("X client ended", "error", "wrong cookie", "n", i)
	}
	child.Info("authenticated", "server", "one")
	log := said(t, newFramedOutput, text.String())
	passed := strings.Count(log, `said.msg="X client ended"`)
	if passed > flood/10 || !strings.Contains(log, "said.msg=authenticated") || passed+leftOut(log) != flood {
		t.Errorf("%d lines passed, %d are said to be left out", passed, leftOut(log))
	}
	log = said(t, newOutput, strings.Repeat("noise\n", flood))
	passed = strings.Count(log, "line=noise")
	if passed > flood/10 || passed+leftOut(log) != flood {
		t.Errorf("%d plain lines passed, %d are said to be left out", passed, leftOut(log))
	}
}

// leftOut is the number of lines that a log says are missing.
func leftOut(log string) int {
	sum := 0
	for _, m := range regexp.MustCompile(`lines left out" process=worker login=ABC number=(\d+)`).FindAllStringSubmatch(log, -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	return sum
}

// Whether it was logged or not: the last line says why a program has ended.
func TestLastLine(t *testing.T) {
	out, file, err := newOutput(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(file, strings.Repeat("noise\n", 1000)+"\x1b[1mno screens found\n \n\n")
	file.Close()
	if got := out.lastLine(); got != "no screens found" {
		t.Errorf("got %q", got)
	}
}
