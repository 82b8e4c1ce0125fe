package greeter

import (
	"math"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goldm/ldm/greetd"
)

// Pulse shows ldm that the login screen does not hang, as greetd.PulseVariable says. A nil Pulse shows it
// to nobody.
type Pulse struct{ fd int }

// OpenPulse takes the pipe that the environment names; nil for none.
func OpenPulse() *Pulse {
	fd, err := strconv.ParseUint(os.Getenv(greetd.PulseVariable), 10, 31)
	if err != nil {
		return nil
	}
	unix.CloseOnExec(int(fd))
	if unix.SetNonblock(int(fd), true) != nil {
		return nil
	}
	return &Pulse{fd: int(fd)}
}

// Beat gives a sign of life, and promises the next one in time. It never waits: what does not fit into the pipe
// is not needed.
func (p *Pulse) Beat(next time.Duration) {
	if p == nil {
		return
	}
	seconds := min(max(next/time.Second, 1), math.MaxUint8)
	unix.Write(p.fd, []byte{byte(seconds)})
}
