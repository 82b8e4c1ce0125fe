package cgroup

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldm/internal/supervise"
)

// A child is in its cgroup from its first instruction, in namespaces of its own too, and
// ends with it.
func TestStart(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	tree := Open(slog.New(slog.DiscardHandler))
	defer func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	}()
	login, err := tree.Login("a", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if login.dir == "" {
		t.Skip(tree.Problems())
	}
	g := supervise.NewGroup(slog.New(slog.DiscardHandler))
	defer g.Close(0)
	for _, namespaces := range []uintptr{0, unix.CLONE_NEWPID | unix.CLONE_NEWNS} {
		p, err := login.Start(g, supervise.Command{Name: "sleep", Args: []string{"/bin/sleep", "1000"}, Namespaces: namespaces}, Program)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid()) + "/cgroup"); err != nil || !strings.Contains(string(text), "/login-a/") {
			t.Errorf("%s, %v", text, err)
		}
		defer func() { <-p.Done() }()
	}
	if err := login.Close(); err != nil {
		t.Error(err)
	}
}
