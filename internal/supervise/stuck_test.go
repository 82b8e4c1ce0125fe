package supervise

import (
	"errors"
	"os"
	"testing"

	"goldm/internal/hangfs"
)

// A child that cannot be killed holds up neither Stop nor Close.
func TestAttackUnkillableChild(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: mounts are root's to make")
	}
	dir := t.TempDir()
	fs, err := hangfs.Mount(dir, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	g := NewGroup(quiet())
	p, err := g.Start(Command{Name: "stuck", Args: []string{"/bin/ls", dir}})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "a request", fs.Asked())
	closed := make(chan struct{})
	go func() {
		g.Close(0)
		close(closed)
	}()
	within(t, "the group's end", closed)
	if stuck, ok := errors.AsType[*StuckError](p.Err()); !ok || stuck.PID != p.Pid() || stuck.State != "D" {
		t.Errorf("got %v", p.Err())
	}
}
