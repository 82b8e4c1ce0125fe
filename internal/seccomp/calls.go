//go:build amd64 || arm64

package seccomp

import "golang.org/x/sys/unix"

// newest is the last call that this package knows. The kernel answers a later one as if
// it did not have it: ENOSYS.
const newest = unix.SYS_RSEQ_SLICE_YIELD

// missing are calls that the kernel answers in the same way. What clone3 is to do is in memory, where a
// filter cannot look; glibc and Go then use clone.
var missing = []uint32{unix.SYS_CLONE3}

// refused are calls that no program of ours makes, besides those whose arguments decide.
var refused = map[string]uint32{
	// Other processes: memory, descriptors, what they are at.
	"ptrace": unix.SYS_PTRACE, "process_vm_readv": unix.SYS_PROCESS_VM_READV, "process_vm_writev": unix.SYS_PROCESS_VM_WRITEV,
	"process_madvise": unix.SYS_PROCESS_MADVISE, "process_mrelease": unix.SYS_PROCESS_MRELEASE,
	"pidfd_getfd": unix.SYS_PIDFD_GETFD, "kcmp": unix.SYS_KCMP,
	"move_pages": unix.SYS_MOVE_PAGES, "migrate_pages": unix.SYS_MIGRATE_PAGES,

	// Another program.
	"execveat": unix.SYS_EXECVEAT,

	// Servers. Landlock's rule against listening does not know multipath TCP, which Go uses.
	"listen": unix.SYS_LISTEN,

	// Mounts.
	"mount": unix.SYS_MOUNT, "umount2": unix.SYS_UMOUNT2, "pivot_root": unix.SYS_PIVOT_ROOT, "chroot": unix.SYS_CHROOT,
	"move_mount": unix.SYS_MOVE_MOUNT, "open_tree": unix.SYS_OPEN_TREE, "open_tree_attr": unix.SYS_OPEN_TREE_ATTR,
	"fsopen": unix.SYS_FSOPEN, "fsconfig": unix.SYS_FSCONFIG, "fsmount": unix.SYS_FSMOUNT, "fspick": unix.SYS_FSPICK,
	"mount_setattr": unix.SYS_MOUNT_SETATTR, "statmount": unix.SYS_STATMOUNT, "listmount": unix.SYS_LISTMOUNT,

	// Namespaces. clone makes them too: only threads pass.
	"setns": unix.SYS_SETNS, "unshare": unix.SYS_UNSHARE, "listns": unix.SYS_LISTNS,

	// Keys, which belong to a user and not to a process.
	"keyctl": unix.SYS_KEYCTL, "add_key": unix.SYS_ADD_KEY, "request_key": unix.SYS_REQUEST_KEY,

	// Large parts of the kernel that have had their holes.
	"bpf": unix.SYS_BPF, "perf_event_open": unix.SYS_PERF_EVENT_OPEN, "userfaultfd": unix.SYS_USERFAULTFD,
	"io_uring_setup": unix.SYS_IO_URING_SETUP, "io_uring_enter": unix.SYS_IO_URING_ENTER, "io_uring_register": unix.SYS_IO_URING_REGISTER,
	"fanotify_init": unix.SYS_FANOTIFY_INIT, "fanotify_mark": unix.SYS_FANOTIFY_MARK,

	// Files by a number instead of a path.
	"open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "name_to_handle_at": unix.SYS_NAME_TO_HANDLE_AT,

	// The machine, which is root's.
	"kexec_load": unix.SYS_KEXEC_LOAD, "kexec_file_load": unix.SYS_KEXEC_FILE_LOAD, "reboot": unix.SYS_REBOOT,
	"init_module": unix.SYS_INIT_MODULE, "finit_module": unix.SYS_FINIT_MODULE, "delete_module": unix.SYS_DELETE_MODULE,
	"swapon": unix.SYS_SWAPON, "swapoff": unix.SYS_SWAPOFF, "acct": unix.SYS_ACCT,
	"quotactl": unix.SYS_QUOTACTL, "quotactl_fd": unix.SYS_QUOTACTL_FD,
	"settimeofday": unix.SYS_SETTIMEOFDAY, "clock_settime": unix.SYS_CLOCK_SETTIME,
	"adjtimex": unix.SYS_ADJTIMEX, "clock_adjtime": unix.SYS_CLOCK_ADJTIME,
	"sethostname": unix.SYS_SETHOSTNAME, "setdomainname": unix.SYS_SETDOMAINNAME,
	"syslog": unix.SYS_SYSLOG, "vhangup": unix.SYS_VHANGUP,
	"personality": unix.SYS_PERSONALITY, "lsm_set_self_attr": unix.SYS_LSM_SET_SELF_ATTR,
}
