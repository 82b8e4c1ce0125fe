package sessions

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// limit bounds the wait for what comes at once unless something is broken.
const limit = time.Minute

// stand starts a shell under the name of one of the agent's processes, with a
// script, and waits until that says ready.
func stand(t *testing.T, name, script string, env ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, Desktop), []byte(script+"\necho ready\nwhile :; do sleep 0.1; done\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := &exec.Cmd{Path: "/bin/sh", Args: []string{name, Desktop}, Dir: dir, Env: append(env, "PATH="+os.Getenv("PATH"))}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if _, err := fmt.Fscan(out, new(string)); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// find returns what list has of a session.
func find(t *testing.T, id string, list func() ([]Session, error)) (Session, bool) {
	t.Helper()
	found, err := list()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(found, func(s Session) bool { return s.ID == id })
	if i < 0 {
		return Session{}, false
	}
	return found[i], true
}

func TestList(t *testing.T) {
	began := time.Date(2026, 11, 24, 9, 12, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		program string
		id      string
		env     []string
		listed  bool
		client  string
		began   time.Time
	}{
		"session":   {Wrapper, rand.Text(), []string{"LTSP_CLIENT_HOSTNAME=station-07", "LTSP_CLIENT=192.0.2.7", BeganVariable + "=" + began.Format(time.RFC3339)}, true, "station-07", began},
		"address":   {Wrapper, rand.Text(), []string{"LTSP_CLIENT=192.0.2.7"}, true, "192.0.2.7", time.Time{}},
		"by hand":   {Wrapper, rand.Text(), []string{BeganVariable + "=yesterday"}, true, "", time.Time{}},
		"hostile":   {"/usr/bin/" + Wrapper, rand.Text(), []string{"LTSP_CLIENT_HOSTNAME=a\x1b[2J\nb" + strings.Repeat("x", 5000)}, true, "a b" + strings.Repeat("x", 59) + "…", time.Time{}},
		"keeper":    {Keeper, rand.Text(), nil, false, "", time.Time{}},
		"other":     {"icewm", rand.Text(), nil, false, "", time.Time{}},
		"no id":     {Wrapper, "", nil, false, "", time.Time{}},
		"a path":    {Wrapper, "../../" + rand.Text(), nil, false, "", time.Time{}},
		"a long id": {Wrapper, strings.Repeat("x", 65), nil, false, "", time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stand(t, tt.program, "", append(tt.env, IDVariable+"="+tt.id)...)
			s, listed := find(t, tt.id, func() ([]Session, error) { return List(t.Context()) })
			if listed != tt.listed || s.Client != tt.client || !s.Began.Equal(tt.began) {
				t.Errorf("listed %v: %+v", listed, s)
			}
			if listed && (s.User == "" || s.Server == "") {
				t.Errorf("no user or server: %+v", s)
			}
			if n, err := Count(); err != nil || tt.program == Keeper && n == 0 {
				t.Errorf("%d sessions, %v", n, err)
			}
		})
	}
}

func TestOthers(t *testing.T) {
	staying, ending := rand.Text(), rand.Text()
	stand(t, Wrapper, "", IDVariable+"="+staying)
	stand(t, Wrapper, "echo "+endingComm+" >/proc/$$/comm", IDVariable+"="+ending)
	others := func() ([]Session, error) { return Others(t.Context(), "mine") }
	if _, listed := find(t, staying, others); !listed {
		t.Error("a session is not listed")
	}
	if _, listed := find(t, ending, others); listed {
		t.Error("a session that ends is listed")
	}
	if _, listed := find(t, staying, func() ([]Session, error) { return Others(t.Context(), staying) }); listed {
		t.Error("the own session is listed")
	}
}

// A session is asked to end, and told who asked.
func TestEnd(t *testing.T) {
	runtime, id := runtimeDir(t), rand.Text()
	folder, err := MakeFolder(id, runtime)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{IDVariable + "=" + id, "XDG_RUNTIME_DIR=" + runtime}
	wrapper := stand(t, Wrapper, "trap exit TERM", env...)
	p := process{pid: wrapper.Process.Pid}
	if err := p.read(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := p.end(ctx, []process{p}, "station-12", slog.New(slog.DiscardHandler)); err != nil {
		t.Error(err)
	}
	if p.lives() {
		t.Error("the session lives")
	}
	if from := folder.EndedFrom(); from != "station-12" {
		t.Errorf("ended from %q", from)
	}
	if err := RemoveFolder(id, runtime); err != nil {
		t.Error(err)
	}
}

func TestLock(t *testing.T) {
	runtime := runtimeDir(t)
	first, err := Lock(t.Context(), runtime, "/")
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Lock(ended, runtime, "/"); !errors.Is(err, context.Canceled) {
		t.Errorf("while it is locked: %v", err)
	}
	second := make(chan error)
	go func() {
		lock, err := Lock(t.Context(), runtime, "/")
		if err == nil {
			err = lock.Close()
		}
		second <- err
	}()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(runtime); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
