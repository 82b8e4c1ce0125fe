package supervise

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit is for events that come at once unless something is broken.
const limit = 30 * time.Second

// The test re-runs itself as a parent that can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("SUPERVISE_TEST") == "parent" {
		g := NewGroup(quiet())
		p, err := g.Start(Command{Name: "child", Args: []string{"/bin/sleep", "1000"}})
		if err != nil {
			os.Exit(1)
		}
		fmt.Println(p.Pid())
		<-p.Done()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start runs a shell script and returns its first line of output.
func start(t *testing.T, g *Group, script string) (*Process, string, io.Reader) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	p, err := g.Start(Command{Name: "script", Args: []string{"/bin/sh", "-c", script}, Stdout: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(r)
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return p, strings.TrimSpace(line), out
}

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("%s: nothing within %v", what, limit)
	}
}

func TestErrTellsTheExitStatus(t *testing.T) {
	g := NewGroup(quiet())
	defer g.Close(limit)
	p, err := g.Start(Command{Name: "false", Args: []string{"/bin/sh", "-c", "exit 7"}})
	if err != nil {
		t.Fatal(err)
	}
	if exit, ok := p.Err().(*exec.ExitError); !ok || exit.ExitCode() != 7 {
		t.Fatalf("got %v", p.Err())
	}
}

func TestStopKillsWhatIgnoresTerm(t *testing.T) {
	g := NewGroup(quiet())
	defer g.Close(limit)
	p, _, _ := start(t, g, `trap "" TERM; echo ready; while :; do sleep 1000; done`)
	p.Stop(10 * time.Millisecond)
	status := p.Err().(*exec.ExitError).Sys().(syscall.WaitStatus)
	if status.Signal() != syscall.SIGKILL {
		t.Fatalf("ended by %v", status)
	}
}

func TestStragglersEndWithTheirLeader(t *testing.T) {
	g := NewGroup(quiet())
	defer g.Close(limit)
	p, _, out := start(t, g, `sleep 1000 & echo $!; exit 0`)
	within(t, "leader", p.Done())
	// The straggler holds the pipe open until it is gone.
	done := make(chan struct{})
	go func() { io.Copy(io.Discard, out); close(done) }()
	within(t, "straggler", done)
}

func TestCloseStopsAllAndRefusesMore(t *testing.T) {
	g := NewGroup(quiet())
	p, _, _ := start(t, g, `echo ready; exec sleep 1000`)
	g.Close(limit)
	within(t, "child", p.Done())
	if _, err := g.Start(Command{Name: "late", Args: []string{"/bin/true"}}); err == nil {
		t.Fatal("a closed group started a child")
	}
	g.Close(limit)
}

func TestChildDiesWithItsParent(t *testing.T) {
	parent := exec.Command("/proc/self/exe")
	parent.Env = append(os.Environ(), "SUPERVISE_TEST=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	parent.Process.Kill()
	parent.Wait()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(limit.Milliseconds()))
	if n != 1 {
		t.Fatalf("the child of a killed parent lives (%v)", err)
	}
}

// Children of a group beside a process share its pid namespace, and end with it.
func TestGroupBeside(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: pid namespaces are root's to make")
	}
	g := NewGroup(quiet())
	defer g.Close(time.Second)
	first, err := g.Start(Command{Name: "first", Args: []string{"/bin/sleep", "1000"}, Namespaces: unix.CLONE_NEWPID})
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", first.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	defer namespace.Close()
	beside, err := NewGroupBeside(quiet(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close(time.Second)
	p, number, _ := start(t, beside, "echo $$; exec sleep 1000")
	if number != "2" {
		t.Errorf("it is number %s in there", number)
	}
	g.Close(0)
	within(t, "the child ends with the first", p.Done())
}
