package privs

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The test re-runs itself: what Exec does to a process cannot be undone.
func TestMain(m *testing.M) {
	switch os.Getenv("PRIVS_TEST") {
	case "exec":
		err := Exec(User{UID: 65534, GID: 65534}, os.Getppid(), []string{"/bin/cat", "/proc/self/status"})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case "groups":
		err := Exec(User{UID: 65534, GID: 65534, Groups: []int{29, 7}}, os.Getppid(), []string{"/bin/cat", "/proc/self/status"})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case "orphan":
		err := Exec(User{UID: 65534, GID: 65534}, 1<<30, []string{"/bin/true"})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func rerun(t *testing.T, as string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: run as root to test giving root up")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "PRIVS_TEST="+as)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestExecGivesUpRoot(t *testing.T) {
	status, err := rerun(t, "exec")
	if err != nil {
		t.Fatalf("%v: %s", err, status)
	}
	for _, want := range []string{
		"Uid:\t65534\t65534\t65534\t65534\n",
		"Gid:\t65534\t65534\t65534\t65534\n",
		"Groups:\t \n",
		"NoNewPrivs:\t1\n",
		"CapPrm:\t0000000000000000\n",
		"CapEff:\t0000000000000000\n",
		"CapAmb:\t0000000000000000\n",
	} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
}

func TestExecGivesTheGroupsNamed(t *testing.T) {
	status, err := rerun(t, "groups")
	if err != nil || !strings.Contains(status, "Groups:\t7 29 \n") {
		t.Fatalf("%v: %s", err, status)
	}
}

func TestExecRefusesWithoutItsParent(t *testing.T) {
	out, err := rerun(t, "orphan")
	if err == nil || !strings.Contains(out, "the parent is gone") {
		t.Fatalf("got %q, %v", out, err)
	}
}
