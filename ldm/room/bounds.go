package room

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// maxTasks bounds the threads of the room's user, who is nobody else's: a
	// browser has some hundred.
	maxTasks = 4096

	// An X server and ldm itself have 0: proc_pid_oom_score_adj(5).
	killFirst = "500"
)

// makeBounded keeps the program and what it starts from taking what the session
// itself needs.
func makeBounded() error {
	if err := unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: maxTasks, Max: maxTasks}); err != nil {
		return fmt.Errorf("limit of processes: %w", err)
	}
	return os.WriteFile("/proc/self/oom_score_adj", []byte(killFirst), 0)
}
