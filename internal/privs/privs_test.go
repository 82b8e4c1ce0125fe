package privs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
	case "powers":
		powers(os.Stdout)
		os.Exit(0)
	case "limit":
		// It starts this program anew, which comes here again.
		if err := Limit(CapabilitySet(unix.CAP_CHOWN)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		powers(os.Stdout)
		os.Exit(0)
	case "orphan":
		err := Exec(User{UID: 65534, GID: 65534}, 1<<30, []string{"/bin/true"})
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// powers uses some of root's.
func powers(w io.Writer) {
	fmt.Fprintln(w, "raw socket:", rawSocket())
	name, err := os.Hostname()
	if err == nil {
		err = unix.Sethostname([]byte(name))
	}
	fmt.Fprintln(w, "host name:", err)
	file, err := os.CreateTemp("", "privs-")
	if err == nil {
		err = errors.Join(os.Chown(file.Name(), 65534, 65534), os.Remove(file.Name()))
	}
	fmt.Fprintln(w, "owner:", err)
	if os.Getenv("PRIVS_CHILD") != "" {
		return
	}
	child := exec.Command("/proc/self/exe")
	child.Env = []string{"PRIVS_TEST=powers", "PRIVS_CHILD=1"}
	out, err := child.Output()
	line, _, _ := strings.Cut(string(out), "\n")
	if err != nil {
		line = "raw socket: " + err.Error()
	}
	fmt.Fprintln(w, strings.Replace(line, ":", " of a child:", 1))
}

func rawSocket() error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
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

// What a limited process tries for, and root's powers over the machine that it lacks then.
func TestAttackLimited(t *testing.T) {
	before, err := rerun(t, "powers")
	if err != nil {
		t.Fatalf("%v: %s", err, before)
	}
	after, err := rerun(t, "limit")
	if err != nil {
		t.Fatalf("%v: %s", err, after)
	}
	t.Logf("before:\n%safter:\n%s", before, after)
	for _, power := range []string{"raw socket", "host name", "raw socket of a child"} {
		if !strings.Contains(before, power+": <nil>\n") {
			t.Errorf("root itself has no %s: the test shows nothing", power)
		}
		if !strings.Contains(after, power+": operation not permitted\n") {
			t.Errorf("a limited process has %s", power)
		}
	}
	if !strings.Contains(after, "owner: <nil>\n") {
		t.Error("a limited process lacks what it keeps")
	}
}
