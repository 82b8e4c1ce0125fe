package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"goldm/internal/cli/clitest"
	"goldm/server-agent/sessions"
)

func TestMain(m *testing.M) {
	// The second name is that of a session's keeper, which is the same program.
	testscript.Main(m, map[string]func(){"ltsp-server-agent": main, sessions.Keeper: main})
}

// The programs of the scripts are this test's; those in $BIN are the two as they are installed.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin, ".", "../ltsp-session-agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	clitest.RunWith(t, func(env *testscript.Env) error {
		env.Setenv("BIN", bin)
		return nil
	})
}
