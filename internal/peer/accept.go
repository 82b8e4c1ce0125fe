package peer

import (
	"errors"
	"syscall"
)

// Passes tells whether an error of accept(2) passes by waiting: a lack of files or memory, which
// must not end a listener. The kernel keeps the connections that wait.
func Passes(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
