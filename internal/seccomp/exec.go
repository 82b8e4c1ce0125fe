package seccomp

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Exec is an execve that a filter can tell from all others. Program, arguments and
// environment each lie at an address that was drawn by lot. The filter has the
// addresses and the kernel shows it to nobody; once execve has succeeded no memory
// has them.
type Exec struct{ args [3]uintptr }

// NewExec prepares the execution of argv[0], a path.
func NewExec(argv, env []string) (*Exec, error) {
	if len(argv) == 0 {
		return nil, errors.New("no program to run")
	}
	e := new(Exec)
	var err error
	if e.args[0], err = place(func(uintptr) []byte { return append([]byte(argv[0]), 0) }); err != nil {
		return nil, err
	}
	for i, words := range [][]string{argv, env} {
		if e.args[i+1], err = place(func(at uintptr) []byte { return vector(words, at) }); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// vector is what execve wants at an address: pointers to words, a null, and the words.
func vector(words []string, at uintptr) []byte {
	const pointer = 8
	var table, text []byte
	first := uint64(at) + pointer*uint64(len(words)+1)
	for _, word := range words {
		table = binary.NativeEndian.AppendUint64(table, first+uint64(len(text)))
		text = append(append(text, word...), 0)
	}
	return append(binary.NativeEndian.AppendUint64(table, 0), text...)
}

// maxPlaces is how often place draws: nearly all addresses are free.
const maxPlaces = 100

// place maps what content makes of an address there.
func place(content func(at uintptr) []byte) (uintptr, error) {
	for range maxPlaces {
		at := draw()
		err := mapAt(at, content(at))
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOMEM) {
			return at, err
		}
	}
	return 0, errors.New("no free address")
}

// draw returns the address of a page between 4 GiB and 256 GiB: every kernel of 64 bits has these, also one
// whose processes have 39 bits. One page of some sixty million is right, three times.
func draw() uintptr {
	const from, to = 4 << 30, 256 << 30
	var word [8]byte
	rand.Read(word[:])
	page := uint64(os.Getpagesize())
	return uintptr((from + binary.NativeEndian.Uint64(word[:])%(to-from)) / page * page)
}

// mapAt maps a copy of content, which nobody can write to.
func mapAt(at uintptr, content []byte) error {
	fd, err := unix.MemfdCreate("exec", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	file := os.NewFile(uintptr(fd), "exec")
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		return err
	}
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, at, uintptr(len(content)), unix.PROT_READ,
		unix.MAP_PRIVATE|unix.MAP_FIXED_NOREPLACE, file.Fd(), 0)
	if errno != 0 {
		return fmt.Errorf("mmap: %w", errno)
	}
	return nil
}

// Run replaces the calling process. It returns only with an error.
func (e *Exec) Run() error {
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, e.args[0], e.args[1], e.args[2])
	return fmt.Errorf("execve: %w", errno)
}
