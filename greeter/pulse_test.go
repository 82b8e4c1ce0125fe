package greeter

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/ldm/greetd"
)

// Each beat is one byte, with its promise; a pipe that nobody reads keeps nobody.
func TestPulse(t *testing.T) {
	fds := make([]int, 2)
	if err := unix.Pipe2(fds, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r := os.NewFile(uintptr(fds[0]), "ldm")
	defer r.Close()
	t.Setenv(greetd.PulseVariable, strconv.Itoa(fds[1]))
	p := OpenPulse()
	for _, next := range []time.Duration{10 * time.Second, 0, time.Hour} {
		p.Beat(next)
	}
	got := make([]byte, 10)
	if n, err := r.Read(got); err != nil || !bytes.Equal(got[:n], []byte{10, 1, 255}) {
		t.Errorf("%v, %v", got[:n], err)
	}
	for range 100 << 10 {
		p.Beat(time.Second)
	}
	unix.Close(fds[1])
}

// Without ldm's pipe there is nobody to tell.
func TestNoPulse(t *testing.T) {
	for _, value := range []string{"", "x", "-1", "99999"} {
		t.Setenv(greetd.PulseVariable, value)
		p := OpenPulse()
		if p != nil {
			t.Errorf("%q: %v", value, p)
		}
		p.Beat(time.Second)
	}
}
