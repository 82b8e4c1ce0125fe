package wrap

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/pulse"
)

// Keeper and wrapper are each the only one who can end what the other leaves behind when it hangs. So each
// gives the other a sign of life at an interval, a byte on their socket, from its own loop.
const (
	// DefaultBeat has a process that hangs noticed within 25 seconds, the wrapper within 38.
	DefaultBeat = 10 * time.Second

	beatWithin = time.Second // a socket that is full is that of a process that hangs
)

// wrapperDue is how often the wrapper has to give a sign of life. It gives none while it ends a session, which
// takes some 15 seconds at most.
func wrapperDue(beat time.Duration) time.Duration { return beat * 3 / 2 }

// counterpart is the other one of the two, as its end of the socket shows.
type counterpart struct {
	socket *os.File
	first  chan struct{} // closed at its first byte, or with gone
	gone   chan struct{} // closed at its end
	hung   chan struct{} // closed when it hangs
}

// meet follows the socket's other end from now on, which has to be due so often. Without a socket there is nobody,
// and nothing happens to nobody. Its goroutines last until the socket ends.
func meet(socket *os.File, due time.Duration) *counterpart {
	if socket == nil {
		return new(counterpart)
	}
	c := &counterpart{socket: socket, first: make(chan struct{}), gone: make(chan struct{}), hung: make(chan struct{})}
	beats := make(chan time.Duration)
	go c.read(beats, due)
	go func() {
		if _, ok := <-beats; ok && pulse.Listen(context.Background(), due, beats) != nil {
			close(c.hung)
		}
		for range beats { // a process that hung may go on
		}
	}()
	return c
}

// read passes on what comes, until the end.
func (c *counterpart) read(beats chan<- time.Duration, due time.Duration) {
	defer close(beats)
	defer close(c.gone)
	buffer := make([]byte, 64)
	for met := false; ; {
		n, err := c.socket.Read(buffer)
		if !met {
			met = true
			close(c.first)
		}
		if err != nil || n == 0 {
			return
		}
		beats <- due
	}
}

// beat gives the other one a sign of life. An error shows as its end.
func (c *counterpart) beat() {
	if c.socket != nil {
		c.socket.SetWriteDeadline(time.Now().Add(beatWithin))
		c.socket.Write([]byte{1})
	}
}

// killParent kills the keeper that hangs, once the session is over: nobody else will, and sshd waits for it.
// A keeper that has gone meanwhile is not our parent any more.
func killParent(keeper int) {
	if keeper > 1 && os.Getppid() == keeper {
		unix.Kill(keeper, unix.SIGKILL)
	}
}
