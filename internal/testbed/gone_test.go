package testbed_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
)

// victim is set in the environment of a copy of this test that is to be killed.
const victim = "GOLDM_TESTBED_VICTIM"

// beVictim brings two machines up with something on them, says so, and waits.
func beVictim() {
	bed, err := testbed.New(context.Background(), testbed.Config{})
	if err == nil {
		_, err = bed.Server.StartSSHD(context.Background(), testbed.SSHDOptions{})
	}
	if err == nil {
		err = bed.Client.Command(context.Background(), "daemon", "sleep", "1000").Start()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("up")
	<-time.After(time.Hour)
}

// inChroot is set in the environment of a copy of this test in a chroot.
const inChroot = "GOLDM_TESTBED_CHROOT"

// beInChroot asks the client for its name: from its file, which is the host's
// where the way in ends at the wrong root.
func beInChroot() {
	bed, err := testbed.New(context.Background(), testbed.Config{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer bed.Close()
	out, err := bed.Client.Output(context.Background(), "cat", "/etc/hostname")
	fmt.Print(out)
	if err != nil {
		fmt.Println(err)
	}
}

// A build in a chroot must not reach the host around it.
func TestInChroot(t *testing.T) {
	testbed.Need(t)
	const script = `mount --rbind / "$1" && exec chroot "$1" "$2"`
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", t.TempDir(), self)
	cmd.Env = append(os.Environ(), inChroot+"=yes")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "client\n" {
		t.Errorf("got %q, %v", out, err)
	}
}

// namespaces are those that a machine has of its own.
var namespaces = []string{"mnt", "uts", "ipc", "pid", "net"}

func TestNothingIsLeftAfterClose(t *testing.T) {
	testbed.Need(t)
	before := hostMounts(t)
	bed, err := testbed.New(t.Context(), testbed.Config{})
	if err != nil {
		t.Fatal(err)
	}
	stray := bed.Client.Command(t.Context(), "daemon", "sleep", "1000")
	if err := stray.Start(); err != nil {
		t.Fatal(err)
	}
	spaces := namespacesOf(t, os.Getpid())
	if len(spaces) != 2*len(namespaces) {
		t.Fatalf("two machines have the namespaces %v", spaces)
	}
	if err := bed.Close(); err != nil {
		t.Fatal(err)
	}
	if left := inhabited(t, spaces); len(left) > 0 {
		t.Errorf("processes are left in %q", left)
	}
	if after := hostMounts(t); after != before {
		t.Errorf("mounts before:\n%s\nafter:\n%s", before, after)
	}
}

func TestNothingIsLeftAfterKill(t *testing.T) {
	testbed.Need(t)
	before, interfaces := hostMounts(t), hostInterfaces(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victim+"=yes")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	spaces := namespacesOf(t, cmd.Process.Pid)
	cmd.Process.Kill()
	cmd.Wait()
	if line != "up\n" || len(spaces) != 2*len(namespaces) {
		t.Fatalf("the machines' program says %q and has the namespaces %v", line, spaces)
	}
	waitFor(t, "the end of all processes", func() bool { return len(inhabited(t, spaces)) == 0 })
	if after := hostMounts(t); after != before {
		t.Errorf("mounts before:\n%s\nafter:\n%s", before, after)
	}
	if after := hostInterfaces(t); after != interfaces {
		t.Errorf("interfaces before: %s, after: %s", interfaces, after)
	}
}

// namespacesOf returns the namespaces of a process's children, as links of
// /proc/PID/ns name them, which differ from our own.
func namespacesOf(t *testing.T, parent int) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		children, _ := os.ReadFile(task)
		for child := range strings.FieldsSeq(string(children)) {
			for _, kind := range namespaces {
				path := "/proc/" + child + "/ns/" + kind
				name, err := os.Readlink(path)
				ours, _ := os.Readlink("/proc/self/ns/" + kind)
				if err == nil && name != ours {
					found[name] = true
					keep(t, path)
				}
			}
		}
	}
	return found
}

// keep holds a namespace, whose number another one would get after its end.
func keep(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
}

// inhabited returns those of the namespaces that a process of this host is in.
func inhabited(t *testing.T, spaces map[string]bool) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/ns/*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		if name, err := os.Readlink(link); err == nil && spaces[name] {
			found = append(found, link+" "+name)
		}
	}
	return found
}

func hostMounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func hostInterfaces(t *testing.T) string {
	t.Helper()
	names, err := filepath.Glob("/sys/class/net/*")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}
