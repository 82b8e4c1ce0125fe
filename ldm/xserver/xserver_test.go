package xserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/internal/x11/xtest"
)

// config starts a program as an X server of this test's own.
func config(t *testing.T, args ...string) Config {
	t.Helper()
	xtest.Need(t, "Xvfb")
	if err := os.Mkdir("/tmp/.X11-unix", 0o1777); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	group := supervise.NewGroup(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { group.Close(0) })
	return Config{Args: args, User: privs.User{UID: os.Getuid(), GID: os.Getgid()}, Dir: t.TempDir(), Group: group}
}

// One server after the other has nothing of the last, and leaves nothing, however it ends.
func TestOneAfterTheOther(t *testing.T) {
	c := config(t, "Xvfb")
	var last *Server
	for name, end := range map[string]unix.Signal{"asked": 0, "killed": unix.SIGKILL, "hung": unix.SIGSTOP} {
		s, err := Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if last != nil && (s.process.Pid() == last.process.Pid() || bytes.Equal(s.Cookie, last.Cookie)) {
			t.Errorf("%s: the same server, or the same cookie", name)
		}
		if end != 0 {
			unix.Kill(s.process.Pid(), end)
		}
		s.Stop()
		select {
		case <-s.Done():
		default:
			t.Errorf("%s: it has not ended", name)
		}
		for _, file := range []string{filepath.Join(c.Dir, "xserver.auth"), "/tmp/.X11-unix/X" + strings.TrimPrefix(s.Display, ":")} {
			if _, err := os.Lstat(file); !os.IsNotExist(err) {
				t.Errorf("%s: %s is left, %v", name, file, err)
			}
		}
		last = s
	}
}

// A server that does not come up is an error, and is gone.
func TestNotUp(t *testing.T) {
	late, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for name, tt := range map[string]struct {
		ctx    context.Context
		script string
		says   string
	}{
		"dies":         {t.Context(), "exit 3", "exit status 3"},
		"says junk":    {t.Context(), "echo x >&3; exec sleep 1000", "display number"},
		"says a lot":   {t.Context(), "yes 11111111 >&3", "display number"},
		"hangs":        {late, "exec sleep 1000", context.DeadlineExceeded.Error()},
		"is not there": {t.Context(), "exec /nonexistent 2>&-", "exit status 127"},
	} {
		c := config(t, "/bin/sh", "-c", tt.script)
		if s, err := Start(tt.ctx, c); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, %v", name, s, err)
		} else if name == "hangs" && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if left, err := os.ReadDir(c.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v, %v", name, left, err)
		}
	}
}
