package worker

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fence keeps the memory of this process, which will hold a password, from
// processes of the same user (ptrace(2), /proc/PID/mem) and from core files.
func fence() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("PR_SET_DUMPABLE: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("RLIMIT_CORE: %w", err)
	}
	return nil
}
