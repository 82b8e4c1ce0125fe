//go:build amd64 || arm64

package seccomp

import (
	"maps"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The layout of struct seccomp_data: seccomp(2). Both architectures are little-endian.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16
)

// low and high are the halves of a call's argument.
func low(arg int) bpf.Instruction { return bpf.LoadAbsolute{Off: offsetArgs + 8*uint32(arg), Size: 4} }
func high(arg int) bpf.Instruction {
	return bpf.LoadAbsolute{Off: offsetArgs + 8*uint32(arg) + 4, Size: 4}
}

var (
	loadNumber = bpf.LoadAbsolute{Off: offsetNumber, Size: 4}
	allow      = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
)

func errno(e unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

// names has the number of each call that is refused, arguments or not.
func names() map[string]uint32 {
	all := maps.Clone(refused)
	maps.Copy(all, refusedHere)
	return all
}

// absent is the filter for what the program gets on without: a call that the kernel seems not to have, a
// network that the machine seems not to have. Nobody is told.
func (f Filter) absent() []bpf.Instruction {
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}, // another architecture's numbers mean other calls
		loadNumber,
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newest, SkipTrue: 1},
		errno(unix.ENOSYS),
	}
	for _, number := range missing {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: 1}, errno(unix.ENOSYS))
	}
	program = append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_SOCKET, SkipTrue: 1}, allow, low(0))
	for _, family := range f.Families {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(family), SkipTrue: 1}, allow)
	}
	return append(program, errno(unix.EAFNOSUPPORT))
}

// hostile is the filter for what only an attacker asks for; refusal is the answer. absent
// has looked at the architecture.
func (f Filter) hostile(refusal uint32) []bpf.Instruction {
	refuse := bpf.RetConstant{Val: refusal}
	program := []bpf.Instruction{loadNumber}
	for _, number := range slices.Sorted(maps.Values(names())) {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: 1}, refuse)
	}
	for number, decide := range map[uint32][]bpf.Instruction{
		unix.SYS_CLONE:  threading(refuse),
		unix.SYS_IOCTL:  typing(refuse),
		unix.SYS_EXECVE: f.starting(refuse),
	} {
		program = append(program, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(decide))})
		program = append(program, decide...)
	}
	return append(program, allow)
}

// threading allows new threads, not processes, and none in other namespaces: clone(2).
func threading(refuse bpf.Instruction) []bpf.Instruction {
	const apart = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWNS |
		unix.CLONE_NEWPID | unix.CLONE_NEWUSER | unix.CLONE_NEWUTS
	return []bpf.Instruction{
		low(0),
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: unix.CLONE_THREAD, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: apart, SkipTrue: 1},
		allow,
		refuse,
	}
}

// typing refuses to put words into a terminal's mouth: ioctl_tty(2), ioctl_console(2).
func typing(refuse bpf.Instruction) []bpf.Instruction {
	const TIOCLINUX = 0x541c
	return []bpf.Instruction{
		low(1),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.TIOCSTI, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: TIOCLINUX, SkipTrue: 1},
		allow,
		refuse,
	}
}

// starting allows f.Exec alone. It compares in the same time whatever is right of a
// guess.
func (f Filter) starting(refuse bpf.Instruction) []bpf.Instruction {
	if f.Exec == nil {
		return []bpf.Instruction{refuse}
	}
	program := []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegX, Val: 0}}
	for i, arg := range f.Exec.args {
		for _, half := range []struct {
			load bpf.Instruction
			want uint32
		}{{low(i), uint32(arg)}, {high(i), uint32(uint64(arg) >> 32)}} {
			program = append(program, half.load,
				bpf.ALUOpConstant{Op: bpf.ALUOpXor, Val: half.want}, bpf.ALUOpX{Op: bpf.ALUOpOr}, bpf.TAX{})
		}
	}
	return append(program, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1}, refuse, allow)
}
