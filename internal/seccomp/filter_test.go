package seccomp

import (
	"encoding/binary"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The test re-runs itself: a filter cannot be taken back.
func TestMain(m *testing.M) {
	if os.Getenv("SECCOMP_TEST") == "run" {
		err := run([]string{"/bin/cat", "/proc/self/status"})
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func run(argv []string) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	e, err := NewExec(argv, []string{"ONE=1", "EMPTY="})
	if err != nil {
		return err
	}
	if _, err := (Filter{Exec: e}).Install(false); err != nil {
		return err
	}
	return e.Run()
}

func TestExecRuns(t *testing.T) {
	if !Supported() {
		t.Skip("this kernel has no seccomp filters with notification")
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{"SECCOMP_TEST=run"}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Seccomp:\t2\n") || !strings.Contains(string(out), "NoNewPrivs:\t1\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// answer is what a filter says to a call: the VM of package bpf reads words as a network sends them.
func answer(t *testing.T, program []bpf.Instruction, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	data := binary.BigEndian.AppendUint32(nil, number)
	data = binary.BigEndian.AppendUint32(data, arch)
	data = append(data, make([]byte, 8)...) // the address of the instruction
	for i := range 6 {
		var arg uint64
		if i < len(args) {
			arg = args[i]
		}
		data = binary.BigEndian.AppendUint32(data, uint32(arg))
		data = binary.BigEndian.AppendUint32(data, uint32(arg>>32))
	}
	result, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(result)
}

func TestAttackOtherArchitecture(t *testing.T) {
	const ptraceOf386 = 26
	got := answer(t, Filter{}.absent(), unix.AUDIT_ARCH_I386, ptraceOf386)
	if got != unix.SECCOMP_RET_KILL_PROCESS {
		t.Errorf("%#x", got)
	}
	if got := answer(t, Filter{}.absent(), arch, unix.SYS_READ); got != unix.SECCOMP_RET_ALLOW {
		t.Errorf("a call of this architecture: %#x", got)
	}
}

// Only the exact addresses start the program, whichever half of which argument is wrong.
func TestAttackGuessExec(t *testing.T) {
	e := &Exec{args: [3]uintptr{0x1122334000, 0x2233445000, 0x3344556000}}
	program := Filter{Exec: e}.hostile(unix.SECCOMP_RET_USER_NOTIF)
	right := [3]uint64{0x1122334000, 0x2233445000, 0x3344556000}
	if got := answer(t, program, arch, unix.SYS_EXECVE, right[:]...); got != unix.SECCOMP_RET_ALLOW {
		t.Errorf("the program itself: %#x", got)
	}
	for i := range right {
		for _, wrong := range []uint64{right[i] ^ 1<<12, right[i] ^ 1<<36, 0} {
			guess := right
			guess[i] = wrong
			if got := answer(t, program, arch, unix.SYS_EXECVE, guess[:]...); got != unix.SECCOMP_RET_USER_NOTIF {
				t.Errorf("argument %d = %#x: %#x", i, wrong, got)
			}
		}
	}
}

func TestAttackClone(t *testing.T) {
	program := Filter{}.hostile(unix.SECCOMP_RET_USER_NOTIF)
	const thread = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD
	for flags, want := range map[uint64]uint32{
		thread:                           unix.SECCOMP_RET_ALLOW,
		uint64(unix.SIGCHLD):             unix.SECCOMP_RET_USER_NOTIF,
		unix.CLONE_VM | unix.CLONE_VFORK: unix.SECCOMP_RET_USER_NOTIF,
		unix.CLONE_NEWUSER:               unix.SECCOMP_RET_USER_NOTIF,
		thread | unix.CLONE_NEWNS:        unix.SECCOMP_RET_USER_NOTIF,
	} {
		if got := answer(t, program, arch, unix.SYS_CLONE, flags); got != want {
			t.Errorf("flags %#x: %#x, not %#x", flags, got, want)
		}
	}
}
