// Package e2e tests the whole of it on two machines: Debian's sshd with PAM on
// one, ldm with a real X server on the other.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"goldm/internal/testbed"
)

// programs is the folder with the programs under test.
var programs string

func TestMain(m *testing.M) {
	testbed.Init()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Geteuid() != 0 {
		return m.Run() // every test says itself that it needs root
	}
	dir, err := os.MkdirTemp("", "goldm-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs = dir
	for name, cgo := range map[string]string{
		"ldm": "0", "ldm-session": "0", "ltsp-localapps": "0", "ltsp-server-agent": "0", "ltsp-session-agent": "0", "ldm-greeter": "1",
	} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "../../cmd/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
			return 1
		}
	}
	for _, name := range []string{"ldm", "ldm-session", "ldm-greeter"} { // as they are installed: docs/internals/fences.md
		if err := os.Chmod(filepath.Join(dir, name), 0o711); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func program(name string) string { return filepath.Join(programs, name) }
