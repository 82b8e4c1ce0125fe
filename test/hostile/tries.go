package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

var tries = map[string]func(argument string) error{
	// Files.
	"read":     func(path string) error { _, err := os.ReadFile(path); return err },
	"list":     func(path string) error { _, err := os.ReadDir(path); return err },
	"write":    func(path string) error { return os.WriteFile(path, []byte("hostile"), 0o600) },
	"truncate": func(path string) error { return os.Truncate(path, 0) },
	"mkdir":    func(path string) error { return os.Mkdir(path, 0o700) },
	"move": func(path string) error {
		return os.Rename(path, filepath.Join(filepath.Dir(path), "folder", "moved"))
	},
	"device": ioctl,

	// Programs and processes.
	"exec": func(path string) error { return syscall.Exec(path, []string{path}, nil) },
	"fork": func(path string) error {
		_, err := syscall.ForkExec(path, []string{path}, nil)
		return err
	},
	"clone":       func(string) error { return child(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) },
	"clone3":      func(string) error { return call(unix.SYS_CLONE3, 0, 0) },
	"execveat":    func(string) error { return call(unix.SYS_EXECVEAT, ^uintptr(0), 0, 0, 0, 0) },
	"ptrace":      func(string) error { return call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1<<22) },
	"vm_readv":    func(string) error { return call(unix.SYS_PROCESS_VM_READV, 1<<22) },
	"vm_writev":   func(string) error { return call(unix.SYS_PROCESS_VM_WRITEV, 1<<22) },
	"pidfd_getfd": func(string) error { return call(unix.SYS_PIDFD_GETFD, ^uintptr(0)) },
	"kcmp":        func(string) error { return call(unix.SYS_KCMP, 1<<22, 1<<22) },
	"signal":      signal,

	// The kernel.
	"mount":       func(string) error { return call(unix.SYS_MOUNT) },
	"umount":      func(string) error { return call(unix.SYS_UMOUNT2) },
	"move_mount":  func(string) error { return call(unix.SYS_MOVE_MOUNT) },
	"open_tree":   func(string) error { return call(unix.SYS_OPEN_TREE, ^uintptr(0)) },
	"fsopen":      func(string) error { return call(unix.SYS_FSOPEN) },
	"pivot_root":  func(string) error { return call(unix.SYS_PIVOT_ROOT) },
	"chroot":      func(string) error { return call(unix.SYS_CHROOT) },
	"setns":       func(string) error { return call(unix.SYS_SETNS, ^uintptr(0)) },
	"unshare":     func(string) error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER) },
	"keyctl":      func(string) error { return call(unix.SYS_KEYCTL) },
	"add_key":     func(string) error { return call(unix.SYS_ADD_KEY) },
	"bpf":         func(string) error { return call(unix.SYS_BPF) },
	"perf":        func(string) error { return call(unix.SYS_PERF_EVENT_OPEN) },
	"userfaultfd": func(string) error { return call(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|1) },
	"io_uring":    func(string) error { return call(unix.SYS_IO_URING_SETUP) },
	"kexec":       func(string) error { return call(unix.SYS_KEXEC_LOAD) },
	"module":      func(string) error { return call(unix.SYS_FINIT_MODULE, ^uintptr(0)) },
	"by_handle":   func(string) error { return call(unix.SYS_OPEN_BY_HANDLE_AT, ^uintptr(0)) },
	"handle":      func(string) error { return call(unix.SYS_NAME_TO_HANDLE_AT, ^uintptr(0)) },
	"personality": func(string) error { return call(unix.SYS_PERSONALITY, 0xffffffff) },
	"swapon":      func(string) error { return call(unix.SYS_SWAPON) },
	"quotactl":    func(string) error { return call(unix.SYS_QUOTACTL) },
	"acct":        func(string) error { return call(unix.SYS_ACCT) },
	"reboot":      func(string) error { return call(unix.SYS_REBOOT) },
	"clock":       func(string) error { return call(unix.SYS_CLOCK_SETTIME) },
	"later":       func(string) error { return call(4000) }, // no kernel has it; EPERM would say that it has
	"tiocsti":     func(string) error { return call(unix.SYS_IOCTL, 0, unix.TIOCSTI) },
	"x32":         func(string) error { return call(1<<30 + unix.SYS_GETPID) }, // by another numbering of amd64's

	// Networks.
	"inet":    family(unix.AF_INET),
	"unix":    family(unix.AF_UNIX),
	"packet":  family(unix.AF_PACKET),
	"alg":     family(unix.AF_ALG),
	"vsock":   family(unix.AF_VSOCK),
	"xdp":     family(unix.AF_XDP),
	"listen":  func(string) error { return call(unix.SYS_LISTEN, ^uintptr(0)) },
	"bind":    func(string) error { return bind() },
	"connect": func(address string) error { return dial("tcp", address) },
	"abstract": func(name string) error {
		return dial("unix", "@"+name)
	},
}

func family(number int) func(string) error {
	return func(string) error {
		fd, err := unix.Socket(number, unix.SOCK_STREAM, 0)
		if err == nil {
			return unix.Close(fd)
		}
		if err == unix.EAFNOSUPPORT || err == unix.EPERM {
			return err
		}
		return nil // the kernel was asked
	}
}

func bind() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	return l.Close()
}

func dial(network, address string) error {
	conn, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// ioctl asks a device something that only its driver knows.
func ioctl(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var count int32
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.RNDGETENTCNT, uintptr(unsafe.Pointer(&count)))
	if errno != 0 {
		return errno
	}
	return nil
}

// child makes a child that ends at once.
func child(number uintptr, args ...uintptr) error {
	var a [2]uintptr
	copy(a[:], args)
	pid, _, errno := unix.RawSyscall(number, a[0], a[1], 0)
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	unix.Wait4(int(pid), nil, 0, nil)
	return nil
}

// signal asks whether a process may be sent signals, by its number.
func signal(pid string) error {
	number, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	return unix.Kill(number, 0)
}
