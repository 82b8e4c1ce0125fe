package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test re-runs itself as an ldm that is killed.
func TestMain(m *testing.M) {
	if os.Getenv("CGROUP_TEST_OWNER") != "" {
		own()
	}
	os.Exit(m.Run())
}

// own opens a tree with a login, starts a program in it, and says where.
func own() {
	t := Open(slog.New(slog.DiscardHandler))
	l, err := t.Login("left", Limits{})
	if err == nil {
		_, err = start(l, "left", "sleep 1000")
	}
	fmt.Println(t.dir, err)
	select {}
}

// start runs a shell's line as a program of a login, in a session of its own.
func start(l *Login, name, line string) (*exec.Cmd, error) {
	leaf, err := l.Program(name)
	if err != nil {
		return nil, err
	}
	defer leaf.Close()
	c := exec.Command("sh", "-c", line)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if f := leaf.File(); f != nil {
		c.SysProcAttr.UseCgroupFD, c.SysProcAttr.CgroupFD = true, int(f.Fd())
	}
	return c, c.Start()
}

// tree is a Tree of the real kernel's.
func tree(t *testing.T) *Tree {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	tree := Open(slog.New(slog.NewTextHandler(io.Discard, nil)))
	if tree.dir == "" {
		t.Skip(tree.Problems())
	}
	t.Cleanup(func() {
		if err := tree.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(tree.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left", tree.dir)
		}
	})
	return tree
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}

// bomb makes children that leave sessions and parents behind, as long as there are
// fewer than 60.
const bomb = `bomb() { while [ $(wc -l <%s/cgroup.procs) -lt 60 ]; do setsid sh -c 'trap "" TERM HUP INT; sleep 1000 & wait' & setsid sleep 1000 & done; }; bomb; bomb & wait`

// Whatever a program starts, with what signals ignored, ends with the login; and
// nothing else does.
func TestAttackStragglersOfALogin(t *testing.T) {
	for name, byHand := range map[string]bool{"cgroup.kill": false, "by hand": true} {
		t.Run(name, func(t *testing.T) {
			tree := tree(t)
			tree.byHand = byHand
			l, err := tree.Login("one/../two", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			other, err := tree.Login("other", Limits{})
			if err != nil {
				t.Fatal(err)
			}
			bystander, err := start(other, "bystander", "exec sleep 1000")
			if err != nil {
				t.Fatal(err)
			}
			c, err := start(l, "bomb", fmt.Sprintf(bomb, filepath.Join(l.dir, "1-bomb")))
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "many processes run", func() bool { return len(processes(l.dir)) >= 60 })
			pids := processes(l.dir)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			c.Wait()
			for _, pid := range pids {
				if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(stat), ") Z ") {
					t.Errorf("left: %s", stat)
				}
			}
			if _, err := os.Stat(l.dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left", l.dir)
			}
			if unix.Kill(bystander.Process.Pid, 0) != nil || len(processes(other.dir)) != 1 {
				t.Error("another login's program has ended")
			}
			if _, err := l.Program("late"); !errors.Is(err, os.ErrClosed) {
				t.Errorf("a program after the end: %v", err)
			}
			if err := errors.Join(l.Close(), other.Close()); err != nil {
				t.Error(err)
			}
			bystander.Wait()
		})
	}
}

// A program's cgroup goes with the program, or with what it left behind.
func TestProgramsCgroup(t *testing.T) {
	tree := tree(t)
	l, err := tree.Login("a", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := start(l, "leaves one", "sleep 1000 &")
	if err != nil {
		t.Fatal(err)
	}
	c.Wait()
	left := filepath.Join(l.dir, "1-leaves_one")
	if len(processes(left)) != 1 {
		t.Errorf("%v", processes(left))
	}
	leaf, err := l.Service("sound")
	if err != nil {
		t.Fatal(err)
	}
	leaf.Close()
	if _, err := os.Stat(leaf.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left", leaf.dir)
	}
	unix.Kill(processes(left)[0], unix.SIGKILL)
	eventually(t, "the cgroup is removed", func() bool {
		leaf, err := l.Service("sound")
		if err != nil {
			t.Fatal(err)
		}
		leaf.Close()
		_, err = os.Stat(left)
		return errors.Is(err, os.ErrNotExist)
	})
}

// A login's user can leave its cgroup by none of its files.
func TestAttackCgroupIsRootsAlone(t *testing.T) {
	tree := tree(t)
	l, err := tree.Login("a", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := l.Program("x")
	if err != nil {
		t.Fatal(err)
	}
	defer leaf.Close()
	var tried int
	for _, dir := range []string{tree.dir, l.dir, leaf.dir, tree.above} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			c := exec.Command("sh", "-c", `echo 0 >>"$1"`, "sh", path)
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 30000, Gid: 30000}}
			if !e.IsDir() && c.Run() == nil {
				t.Errorf("%s can be written", path)
			}
			tried++
		}
		c := exec.Command("mkdir", filepath.Join(dir, "mine"))
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 30000, Gid: 30000}}
		if c.Run() == nil {
			t.Errorf("a cgroup can be made in %s", dir)
		}
	}
	if tried < 20 {
		t.Errorf("%d files", tried)
	}
}

// What a killed ldm leaves is ended by the next one; what a living one has is not.
func TestAttackLeftByAKilledOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), "CGROUP_TEST_OWNER=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	dir, problem, _ := strings.Cut(strings.TrimSpace(line), " ")
	if dir == "" {
		c.Process.Kill()
		c.Wait()
		t.Skip("no cgroup v2")
	}
	if problem != "<nil>" {
		t.Error(problem)
	}
	t.Run("living", func(t *testing.T) {
		tree(t)
		if len(processes(dir)) < 2 {
			t.Error("a living ldm's cgroups were ended")
		}
	})
	var programs []int
	for _, pid := range processes(dir) {
		if pid != c.Process.Pid {
			programs = append(programs, pid)
		}
	}
	// From fork to exec a program has its parent's files, the lock among them.
	eventually(t, "the program waits", func() bool { return !strings.Contains(remains(dir), "in state R") })
	c.Process.Kill()
	c.Wait()
	tree(t)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %s", dir, remains(dir))
	}
	for _, pid := range programs {
		if stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			t.Errorf("left: %s", stat)
		}
	}
}

// Where something is missing, that is a sentence, and all else goes on.
func TestMissing(t *testing.T) {
	var log strings.Builder
	none := open(slog.New(slog.NewTextHandler(&log, nil)), "", errNone)
	l, err := none.Login("a", Limits{MemoryMax: 1, Tasks: 1})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := l.Program("x")
	if err != nil || leaf.File() != nil {
		t.Errorf("%v, %v", leaf, err)
	}
	leaf.Close()
	if err := errors.Join(l.Close(), none.Close()); err != nil {
		t.Error(err)
	}
	if p := none.Problems(); len(p) != 1 || !strings.Contains(p[0], "no cgroup v2 is mounted") || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%q, %s", p, log.String())
	}
	if p := open(slog.New(slog.DiscardHandler), filepath.Join(t.TempDir(), "none"), nil).Problems(); len(p) != 1 || !strings.Contains(p[0], "no such file") {
		t.Errorf("%q", p)
	}
}

// This kernel's hierarchy may lack controllers; the sentence names them.
func TestMissingControllers(t *testing.T) {
	tree := tree(t)
	have, err := os.ReadFile(filepath.Join(tree.above, "cgroup.controllers"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range controllers {
		missing := !strings.Contains(" "+strings.TrimSpace(string(have))+" ", " "+c+" ")
		if said := strings.Contains(strings.Join(tree.Problems(), " "), c); missing != said {
			t.Errorf("%s: missing %v, said %v: %q", c, missing, said, tree.Problems())
		}
	}
}

func TestLocate(t *testing.T) {
	const hybrid = `30 22 0:27 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 30 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 30 0:37 / /sys/fs/cgroup/unified rw,relatime shared:7 - cgroup2 cgroup2 rw
`
	const unified = "27 22 0:24 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	const container = "27 22 0:24 /docker/abc /my\\040cgroup rw - cgroup2 cgroup rw\n"
	for _, tt := range []struct{ groups, mounts, want string }{
		{"9:name=systemd:/\n4:memory:/x\n0::/\n", hybrid, "/sys/fs/cgroup/unified"},
		{"0::/system.slice/ldm.service\n", unified, "/sys/fs/cgroup/system.slice/ldm.service"},
		{"0::/docker/abc/x\n", container, "/my cgroup/x"},
		{"0::/docker/abcd\n", container, ""},
		{"0::/../x\n", unified, ""},
		{"4:memory:/x\n", hybrid, ""},
		{"0::/\n", "", ""},
		{"", unified, ""},
	} {
		got, err := locate(tt.groups, tt.mounts)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.groups, got, err)
		}
	}
}

func TestLimits(t *testing.T) {
	l, err := DefaultLimits()
	if err != nil || l.MemoryHigh < 1<<20 || l.MemoryHigh >= l.MemoryMax || l.Tasks == 0 {
		t.Errorf("%+v, %v", l, err)
	}
	if number(0) != "max" || number(7) != "7" {
		t.Error("numbers")
	}
}
