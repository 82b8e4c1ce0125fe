package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// counts collects what a limiter tells.
type counts struct {
	mu   sync.Mutex
	told map[string]int
}

func (c *counts) tell(kind string, number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == nil {
		c.told = make(map[string]int)
	}
	c.told[kind] += number
}

// sum returns what was told until now.
func (c *counts) sum() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.told)
}

func TestAttackFloodIsCountedAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		l := NewLimiter(Rates{Burst: 10, Every: time.Second, Kinds: 4}, c.tell)
		passed := 0
		for range 520 {
			if l.Take("wrong cookie") {
				passed++
			}
		}
		if passed != 10 {
			t.Errorf("%d lines passed", passed)
		}
		if !l.Take("authenticated") {
			t.Error("a flood of one kind silenced another one")
		}
		time.Sleep(tellEvery + time.Second)
		synctest.Wait()
		if told := c.sum()["wrong cookie"]; told != 510 {
			t.Errorf("told of %d lines, without another line", told)
		}
		if !l.Take("wrong cookie") {
			t.Error("the kind is silenced for ever")
		}
		for range 100 {
			l.Take("wrong cookie")
		}
		l.Close()
		if told := c.sum()["wrong cookie"]; told != 510+100-5 {
			t.Errorf("told of %d lines at the end", told)
		}
	})
}

func TestAttackManyKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		r := Rates{Burst: 2, Every: time.Second, Kinds: 16}
		l := NewLimiter(r, c.tell)
		passed := 0
		for i := range 100_000 {
			if l.Take(fmt.Sprint("kind ", i)) {
				passed++
			}
		}
		if most := r.Kinds + r.Burst; passed > most || len(l.kinds) > r.Kinds {
			t.Errorf("%d lines passed, %d kinds are kept", passed, len(l.kinds))
		}
		l.Take(strings.Repeat("x", 1<<20))
		time.Sleep(time.Minute)
		for range r.Burst {
			if !l.Take("honest") {
				t.Error("the kinds of a flood are kept for ever")
			}
		}
		l.Close()
		if told := c.sum()[""]; told != 100_000-passed+1 {
			t.Errorf("told of %d lines of %d", told, 100_000-passed+1)
		}
	})
}

func TestAttackLogOfALimitedHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, closeLog := Limit(slog.New(NewHandler(&out, slog.LevelInfo, false)), Own)
		x := log.With("login", "ABC").With("process", "worker")
		for range 2000 {
			x.Warn("X client ended", "error", errors.New("wrong cookie"))
			x.Debug("not wanted, and not counted")
		}
		x.Info("authenticated")
		log.With("process", "probe").Warn("X client ended")
		closeLog()
		text := out.String()
		for _, want := range []string{
			"msg=authenticated login=ABC process=worker", "process=probe",
			`level=WARN msg="lines left out" number=1900 like="worker: X client ended"`,
		} {
			if !strings.Contains(text, want) {
				t.Errorf("no %q", want)
			}
		}
		if n := strings.Count(text, "\n"); n != Own.Burst+3 {
			t.Errorf("%d lines", n)
		}
	})
}

// A child that says too much does not use up what ldm may say of it, and two
// such children one after the other share a bound.
func TestAttackManyChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log, closeLog := Limit(slog.New(NewHandler(&out, slog.LevelInfo, false)), Own)
		x := log.With("process", "worker")
		for range 3 * children.Burst {
			x.InfoContext(Said(context.Background()), "says")
		}
		x.Info("says")
		closeLog()
		if n := strings.Count(out.String(), "msg=says"); n != children.Burst+1 {
			t.Errorf("%d lines", n)
		}
		if !strings.Contains(out.String(), `number=2000 like=worker`) {
			t.Error("the number is not told")
		}
	})
}

// What a program writes is one line, whatever is in it, and bounded.
func TestAttackInjection(t *testing.T) {
	hostile := "x\nlevel=INFO msg=authenticated\r\x1b[2J\u202e\x00" + strings.Repeat("y", 100_000)
	for _, frames := range []bool{false, true} {
		var out bytes.Buffer
		log := slog.New(NewHandler(&out, slog.LevelInfo, frames))
		log.Info(hostile, "err", errors.New(hostile), "text", hostile, "list", []string{hostile, hostile})
		if n := strings.Count(out.String(), "\n"); n != 1 || strings.ContainsAny(out.String(), "\r\x1b\x00\u202e") {
			t.Errorf("frames %v: %q", frames, out.String())
		}
		if out.Len() > 4*maxValue+500 {
			t.Errorf("frames %v: %d bytes", frames, out.Len())
		}
	}
}

func TestFrame(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(NewHandler(&out, slog.LevelDebug, true)).With("login", "ABC")
	log.Warn("server not reached", "server", "a\"b", "err", errors.New("refused\nmsg=x"), "n", 7, slog.Group("g", "k", "v"))
	f, err := Parse(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := `server not reached, login: ABC, server: a"b, err: refused msg=x, n: 7, g: {"k":"v"}`
	if f.Level != slog.LevelWarn || f.String() != want {
		t.Errorf("%v %s", f.Level, f)
	}
	out.Reset()
	slog.New(slog.NewTextHandler(&out, nil)).With("process", "worker").LogAttrs(t.Context(), f.Level, "says", f.Said())
	if !strings.Contains(out.String(), `msg=says process=worker said.msg="server not reached" said.login=ABC said.server="a\"b"`) {
		t.Error(out.String())
	}
}

// What is not a frame, or pretends to be more than one, is none.
func TestAttackForgedFrames(t *testing.T) {
	for _, line := range []string{
		``, `{}`, `[]`, `null`, `7`, `{`, "{\"level\":\"INFO\",\"msg\":\"x\"", `{"level":"INFO"}`, `{"msg":"x"}`,
		`{"level":"INFO","msg":"x"}{"level":"INFO","msg":"y"}`,
		`{"level":"INFO","msg":"x"} msg=y`,
		`{"level":"INFO","msg":"x","msg":"authenticated"}`,
		`{"level":"INFO","msg":"x","process":"a","process":"ldm"}`,
		`{"level":"INFO+9000","msg":"x"}`, `{"level":9,"msg":"x"}`, `{"level":"FATAL","msg":"x"}`,
		`{"level":"INFO","msg":"x","a=b c\nd":1}`, `{"level":"INFO","msg":"x","` + strings.Repeat("k", 100) + `":1}`,
		`{"level":"INFO","msg":"x","":1}`,
		`{"level":"INFO","msg":"x","said.msg":"y"}`,
		`{"level":"INFO","msg":"x"` + attributes(100) + `}`,
		strings.Repeat(`{"a":`, 5000),
	} {
		if f, err := Parse([]byte(line)); err == nil {
			t.Errorf("%.100s: %v", line, f)
		}
	}
	f, err := Parse([]byte(`{"time":"x","level":"ERROR","msg":"` + `\u001b[2J\n` + strings.Repeat("m", 5000) + `","login":"other"}`))
	if err != nil || len(f.Message) > 4*maxValue || strings.ContainsAny(f.Message, "\x1b\n") || f.Level != slog.LevelError {
		t.Errorf("%v %v", f, err)
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"time":"t","level":"INFO","msg":"x","err":"y"}`))
	f.Add([]byte(`{"level":"INFO","msg":"x","g":{"a":[1,2]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		frame, err := Parse(line)
		if err != nil {
			return
		}
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).LogAttrs(t.Context(), frame.Level, "says", frame.Said())
		if strings.Count(out.String(), "\n") > 1 || !strings.Contains(out.String(), "msg=says said.msg=") && frame.Level >= slog.LevelInfo {
			t.Errorf("%q", out.String())
		}
	})
}
