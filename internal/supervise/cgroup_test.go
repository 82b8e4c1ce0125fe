package supervise

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"goldm/internal/cgroup"
)

// A child is in its cgroup from its first instruction, in namespaces of its own too, and
// ends with it.
func TestCgroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	tree := cgroup.Open(quiet())
	defer func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
	}()
	login, err := tree.Login("a", cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	g := NewGroup(quiet())
	defer g.Close(0)
	for _, namespaces := range []uintptr{0, unix.CLONE_NEWPID | unix.CLONE_NEWNS} {
		leaf, err := login.Program("sleep")
		if err != nil {
			t.Fatal(err)
		}
		if leaf.File() == nil {
			t.Skip(tree.Problems())
		}
		p, err := g.Start(Command{
			Name: "sleep", Args: []string{"/bin/sleep", "1000"}, Cgroup: leaf.File(), Namespaces: namespaces,
		})
		leaf.Close()
		if err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid()) + "/cgroup"); err != nil || !strings.Contains(string(text), "/login-a/") {
			t.Errorf("%s, %v", text, err)
		}
		defer within(t, "the child's end", p.Done())
	}
	if err := login.Close(); err != nil {
		t.Error(err)
	}
}
