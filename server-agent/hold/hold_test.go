package hold

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The test re-runs itself: a process does not see its own locks (fcntl(2)).
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "hold" {
		err := File(context.Background(), os.Args[2], os.Stdin, os.Stdout)
		switch {
		case errors.Is(err, ErrBusy):
			os.Exit(75)
		case err != nil:
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// holder starts a process that holds a file, and returns its first line and what
// ends it.
func holder(t *testing.T, path string) (string, func()) {
	t.Helper()
	c := exec.Command("/proc/self/exe", "hold", path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	end := func() {
		in.Close()
		c.Wait()
	}
	t.Cleanup(end)
	return line, end
}

func TestOneHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".parentlock")
	if line, end := holder(t, path); line != Held+"\n" {
		t.Fatalf("got %q", line)
	} else {
		if line, _ := holder(t, path); line != Busy+"\n" {
			t.Errorf("the second: %q", line)
		}
		end()
	}
	if line, _ := holder(t, path); line != Held+"\n" {
		t.Errorf("after the first: %q", line)
	}
	if line, _ := holder(t, filepath.Join(path, "no")); line != "" {
		t.Errorf("no file: %q", line)
	}
}

func TestSilence(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if err := listen(t.Context(), r, 10*time.Millisecond); err == nil {
		t.Error("a silent client is waited for")
	}
}
