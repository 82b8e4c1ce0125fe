package wrap

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// maxOutput bounds what a desktop may say on our standard error, in bytes.
// Debian's Xsession soon turns to ~/.xsession-errors; other scripts never do, and
// a desktop's chatter has no business on the network.
const maxOutput = 64 << 10

// relay carries a desktop's output to w, up to maxOutput, and drops the rest.
type relay struct {
	in     *os.File // the desktop's standard output and error
	out    *os.File
	copied sync.WaitGroup
}

func newRelay(w io.Writer) (*relay, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for the desktop's output: %w", err)
	}
	r := &relay{in: in, out: out}
	r.copied.Go(func() {
		io.Copy(lossy{w}, io.LimitReader(out, maxOutput))
		if n, _ := io.Copy(io.Discard, out); n > 0 {
			fmt.Fprintf(w, "\nThe desktop said %d bytes more, which are left out.\n", n)
		}
	})
	return r, nil
}

// started closes our copy of the desktop's end.
func (r *relay) started() { r.in.Close() }

// close ends the relay, whether or not a process still holds the other end.
func (r *relay) close() {
	r.out.Close()
	r.copied.Wait()
}

// lossy hides that a write was dropped.
type lossy struct{ w io.Writer }

func (l lossy) Write(p []byte) (int, error) {
	l.w.Write(p)
	return len(p), nil
}
