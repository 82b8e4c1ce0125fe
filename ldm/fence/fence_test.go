package fence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"goldm/internal/landlock"
	"goldm/internal/privs"
	"goldm/internal/seccomp"
)

// The test re-runs itself as the process that becomes the program, by the rules of an
// ABI.
func TestMain(m *testing.M) {
	if text := os.Getenv("FENCE_TEST_ABI"); text != "" {
		abi, err := strconv.Atoi(text)
		var p Plan
		if err == nil {
			err = json.Unmarshal([]byte(os.Args[1]), &p)
		}
		if err == nil {
			err = p.become(os.Args[2:], abi)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var nobody = privs.User{UID: 65534, GID: 65534}

// lab has a hostile program, and things for it to try.
type lab struct {
	t       *testing.T
	dir     string
	program string
	heard   map[string]bool // calls that seccomp refused
	status  error           // of the last run
}

func newLab(t *testing.T) *lab {
	t.Helper()
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root: run as root to test giving root up")
	}
	// Not t.TempDir, which is in a folder of root's alone.
	dir, err := os.MkdirTemp("/var/tmp", "fence-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &lab{t: t, dir: dir, program: filepath.Join(dir, "hostile")}
	build := exec.Command("go", "build", "-o", l.program, "../../test/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l.must(os.Chmod(dir, 0o755))
	for _, folder := range []string{"open", "open/folder"} {
		l.must(os.Mkdir(l.path(folder), 0o777))
		l.must(os.Chmod(l.path(folder), 0o777))
	}
	for _, file := range []string{"known", "open/secret"} {
		l.must(os.WriteFile(l.path(file), []byte("secret"), 0o666))
		l.must(os.Chmod(l.path(file), 0o666))
	}
	return l
}

func (l *lab) path(name string) string { return filepath.Join(l.dir, name) }

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// run has the program try things, by a plan and the rules of an ABI, and returns the error of
// each, empty for none.
func (l *lab) run(p Plan, abi int, tries ...string) map[string]string {
	l.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	l.must(err)
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	p.User, p.Parent, p.Report = nobody, os.Getpid(), 3
	cmd := exec.Command("/proc/self/exe", append(append(p.Words(), l.program), tries...)...)
	cmd.Env = []string{"FENCE_TEST_ABI=" + strconv.Itoa(abi)}
	cmd.ExtraFiles = []*os.File{theirs}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if p.Own {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Namespaces}
	}
	l.must(cmd.Start())
	theirs.Close()
	l.listen(ours)
	l.status = cmd.Wait()
	results := make(map[string]string)
	if l.status == nil {
		l.must(json.Unmarshal(stdout.Bytes(), &results))
	} else if stderr.Len() > 0 {
		l.t.Fatalf("%v: %s", l.status, &stderr)
	}
	return results
}

// listen hears of refused calls until the program has ended.
func (l *lab) listen(socket *os.File) {
	l.t.Helper()
	l.heard = make(map[string]bool)
	control := make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := unix.Recvmsg(int(socket.Fd()), make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	l.must(err)
	if n == 0 {
		return // it failed, and says why
	}
	messages, err := unix.ParseSocketControlMessage(control[:size])
	l.must(err)
	received, err := unix.ParseUnixRights(&messages[0])
	l.must(err)
	l.must(unix.SetNonblock(received[0], true))
	listener := os.NewFile(uintptr(received[0]), "listener")
	defer listener.Close()
	l.must(seccomp.Listen(listener, func(call string) { l.heard[call] = true }))
}

// outside are a process and a socket that are none of the program's.
func (l *lab) outside() (pid, abstract string) {
	l.t.Helper()
	sleep := exec.Command("sleep", "1000")
	sleep.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(nobody.UID), Gid: uint32(nobody.GID)}, Pdeathsig: syscall.SIGKILL}
	l.must(sleep.Start())
	l.t.Cleanup(func() { sleep.Process.Kill(); sleep.Wait() })
	abstract = "fence-test-" + filepath.Base(l.dir)
	listener, err := net.Listen("unix", "@"+abstract)
	l.must(err)
	l.t.Cleanup(func() { listener.Close() })
	return strconv.Itoa(sleep.Process.Pid), abstract
}

// attempt is a line of the table in docs/internals/fences.md.
type attempt struct{ name, try string }

func (l *lab) attempts() []attempt {
	l.t.Helper()
	pid, abstract := l.outside()
	return []attempt{
		{"read its own `/proc`", "read:/proc/self/stat"},
		{"read `/etc/hosts`", "read:/etc/hosts"},
		{"read a known_hosts file", "read:" + l.path("known")},
		{"read `/etc/passwd`", "read:/etc/passwd"},
		{"read another file", "read:" + l.path("open/secret")},
		{"list `/usr`", "list:/usr"},
		{"list `/etc`", "list:/etc"},
		{"make a file", "write:" + l.path("open/new")},
		{"make a folder", "mkdir:" + l.path("open/newfolder")},
		{"write to a file", "write:" + l.path("open/secret")},
		{"move a file", "move:" + l.path("open/secret")},
		{"cut a file off", "truncate:" + l.path("open/secret")},
		{"listen on a TCP port", "bind:"},
		{"ask a device's driver", "device:/dev/urandom"},
		{"connect to an abstract socket", "abstract:" + abstract},
		{"signal another process of its user", "signal:" + pid},
	}
}

// Each duty refuses the files, ports and processes that docs/internals/fences.md has in its table, by the rules
// of each ABI of Landlock, and leaves what the program needs.
func TestAttackFilesByABI(t *testing.T) {
	l := newLab(t)
	newest, err := landlock.ABI()
	l.must(err)
	if newest == 0 {
		t.Skip("this kernel has no Landlock")
	}
	rows := l.attempts()
	var table []string
	for _, row := range rows {
		table = append(table, "| "+row.name)
	}
	for _, duty := range []Duty{Greeter, Worker, Probe} {
		for i, abi := range l.refusedFrom(duty, newest, rows) {
			table[i] += " | " + said(abi)
		}
	}
	documented(t, strings.Join(table, " |\n")+" |\n")
}

// refusedFrom returns, for each attempt, the first ABI that refuses it; 0 for none.
func (l *lab) refusedFrom(duty Duty, newest int, rows []attempt) []int {
	l.t.Helper()
	var tries []string
	for _, row := range rows {
		tries = append(tries, row.try)
	}
	from := make([]int, len(rows))
	for abi := newest; abi >= 1; abi-- {
		results := l.run(Plan{Duty: duty, Read: []string{l.path("known")}}, abi, tries...)
		for i, row := range rows {
			if results[row.try] != "" {
				from[i] = abi
			}
		}
		l.tidy()
	}
	return from
}

// tidy removes what succeeded.
func (l *lab) tidy() {
	l.t.Helper()
	for _, name := range []string{"open/new", "open/newfolder", "open/folder/moved"} {
		os.Remove(l.path(name))
	}
	l.must(os.WriteFile(l.path("open/secret"), []byte("secret"), 0o666))
	l.must(os.Chmod(l.path("open/secret"), 0o666))
}

func said(abi int) string {
	switch abi {
	case 0:
		return "may"
	case 1:
		return "refused"
	}
	return fmt.Sprintf("refused from %d on", abi)
}

// documented fails unless the page has the table.
func documented(t *testing.T, table string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/internals/fences.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", table)
	if !strings.Contains(string(page), table) {
		t.Error("docs/internals/fences.md does not have this table")
	}
}

// calls are tries that are refused with EPERM, and the call that each makes.
var calls = map[string]string{
	"exec:/bin/true": "execve", "fork:/bin/true": "clone", "clone": "clone", "execveat": "execveat",
	"ptrace": "ptrace", "vm_readv": "process_vm_readv", "vm_writev": "process_vm_writev",
	"pidfd_getfd": "pidfd_getfd", "kcmp": "kcmp",
	"mount": "mount", "umount": "umount2", "move_mount": "move_mount", "open_tree": "open_tree", "fsopen": "fsopen",
	"pivot_root": "pivot_root", "chroot": "chroot", "setns": "setns", "unshare": "unshare",
	"keyctl": "keyctl", "add_key": "add_key", "bpf": "bpf", "perf": "perf_event_open", "userfaultfd": "userfaultfd",
	"io_uring": "io_uring_setup", "kexec": "kexec_load", "module": "finit_module", "by_handle": "open_by_handle_at",
	"handle": "name_to_handle_at", "personality": "personality", "swapon": "swapon", "quotactl": "quotactl",
	"acct": "acct", "reboot": "reboot", "clock": "clock_settime", "tiocsti": "ioctl", "listen": "listen",
}

// answers are those to other tries, and to sockets by duty.
var (
	answers = map[string]string{
		"clone3": "ENOSYS", "later": "ENOSYS", "x32": "ENOSYS",
		"packet": "EAFNOSUPPORT", "alg": "EAFNOSUPPORT", "vsock": "EAFNOSUPPORT", "xdp": "EAFNOSUPPORT",
	}
	families = map[Duty]map[string]string{
		Greeter: {"inet": "EAFNOSUPPORT", "unix": ""},
		Worker:  {"inet": "", "unix": ""},
		Probe:   {"inet": "", "unix": "EAFNOSUPPORT"},
	}
)

// The kernel refuses the calls that only an attacker makes, and the daemon hears of each.
func TestAttackCalls(t *testing.T) {
	l := newLab(t)
	if !seccomp.Supported() {
		t.Skip("this kernel has no seccomp filters with notification")
	}
	abi, err := landlock.ABI()
	l.must(err)
	for duty, sockets := range families {
		want := maps.Clone(answers)
		maps.Copy(want, sockets)
		for try := range calls {
			want[try] = "EPERM"
		}
		results := l.run(Plan{Duty: duty}, abi, slices.Collect(maps.Keys(want))...)
		for try, result := range want {
			if results[try] != result {
				t.Errorf("%s: %s: %q, not %q", duty, try, results[try], result)
			}
		}
		for _, call := range calls {
			if !l.heard[call] {
				t.Errorf("%s: the daemon does not hear of %s", duty, call)
			}
		}
	}
}

// The program sees no process but itself, and runs with no right and with a group of its own.
func TestFenceIsComplete(t *testing.T) {
	l := newLab(t)
	abi, err := landlock.ABI()
	l.must(err)
	for _, duty := range []Duty{Greeter, Worker, Probe} {
		results := l.run(Plan{Duty: duty, Own: true}, abi, "read:/proc/1/stat", "read:/proc/"+strconv.Itoa(os.Getpid())+"/stat")
		if results["read:/proc/1/stat"] != "" {
			t.Errorf("%s: its own /proc: %v", duty, results)
		}
		if results["read:/proc/"+strconv.Itoa(os.Getpid())+"/stat"] == "" {
			t.Errorf("%s sees this process", duty)
		}
	}
}
