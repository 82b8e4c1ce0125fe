package seccomp

import "golang.org/x/sys/unix"

// arch is what the kernel calls this machine's calls. Those of 32 bits have another one.
const arch = unix.AUDIT_ARCH_AARCH64

// refusedHere are calls that only this architecture has.
var refusedHere = map[string]uint32{}
