package seccomp

import "golang.org/x/sys/unix"

// arch is what the kernel calls this machine's calls. Those of 32 bits have another
// one; those of x32 have numbers above newest.
const arch = unix.AUDIT_ARCH_X86_64

// refusedHere are calls that only this architecture has.
var refusedHere = map[string]uint32{
	"fork": unix.SYS_FORK, "vfork": unix.SYS_VFORK,
	"ioperm": unix.SYS_IOPERM, "iopl": unix.SYS_IOPL, "modify_ldt": unix.SYS_MODIFY_LDT,
	"uselib": unix.SYS_USELIB, "ustat": unix.SYS_USTAT, "sysfs": unix.SYS_SYSFS, "_sysctl": unix.SYS__SYSCTL,
}
