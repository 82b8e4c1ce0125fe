// Command hostile tries what a program of ours that is in an attacker's hands would try, and
// prints what came of each: one JSON object with the name of each try and the error,
// empty where it succeeded.
//
// Its words are tries, each a name or a name with a path after a colon. In the place of ldm-session, with the word worker
// or probe, it tries what hurts nobody.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// inPlace are the tries of a hostile worker or probe.
var inPlace = []string{
	"read:/etc/passwd", "read:/etc/ltsp/ltsp.conf", "write:/tmp/hostile", "fork:/bin/true", "exec:/bin/true",
	"ptrace", "unshare", "ptrace", "listen",
}

func main() {
	words := os.Args[1:]
	if len(words) == 1 && (words[0] == "worker" || words[0] == "probe") {
		words = inPlace
	}
	results := make(map[string]string)
	for _, word := range words {
		name, argument, _ := strings.Cut(word, ":")
		attempt, ok := tries[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "hostile: no try %q\n", name)
			os.Exit(2)
		}
		results[word] = text(attempt(argument))
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		os.Exit(1)
	}
}

// text is the error's number where it has one.
func text(err error) string {
	if err == nil {
		return ""
	}
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// call makes a system call; errors of its arguments count as success: it was not refused.
func call(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	switch errno {
	case unix.EPERM, unix.ENOSYS, unix.EACCES, unix.EAFNOSUPPORT:
		return errno
	}
	return nil
}
