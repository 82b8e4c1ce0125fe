package fence

import (
	"fmt"

	"goldm/internal/landlock"
	"goldm/internal/seccomp"
)

// Support returns what the kernel lacks, a sentence for each: programs then run without it.
func Support() []string {
	var lacks []string
	switch abi, err := landlock.ABI(); {
	case err != nil:
		lacks = append(lacks, fmt.Sprintf("Landlock cannot be used (%v): no program of ours will start", err))
	case abi == 0:
		lacks = append(lacks, "this kernel has no Landlock: login screen, worker and probe reach every file that their users may")
	case abi < landlock.Latest:
		lacks = append(lacks, fmt.Sprintf("this kernel's Landlock has ABI %d: it refuses less than ABI %d", abi, landlock.Latest))
	}
	if !seccomp.Supported() {
		lacks = append(lacks, "this kernel has no seccomp filters with notification: login screen, worker and probe may make every system call")
	}
	return lacks
}
