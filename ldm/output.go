package ldm

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"goldm/internal/text"
)

const (
	maxLine  = 1000 // characters of a child's line that are logged
	maxLines = 500  // lines of one child that are logged
)

// output logs what a child writes to its standard output and error, bounded:
// the child may be in somebody's hands.
type output struct {
	reader *os.File
	level  slog.Level
	done   sync.WaitGroup
	end    sync.Once

	mu   sync.Mutex
	last string
}

// newOutput returns an output and the file for the child, which the caller
// closes once the child has it.
func newOutput(log *slog.Logger) (*output, *os.File, error) {
	return newOutputAt(log, slog.LevelInfo)
}

// newOutputAt is newOutput with the level of what the child says.
func newOutputAt(log *slog.Logger, level slog.Level) (*output, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	o := &output{reader: r, level: level}
	o.done.Go(func() { o.copy(log) })
	return o, w, nil
}

func (o *output) copy(log *slog.Logger) {
	lines := bufio.NewReaderSize(o.reader, maxLine)
	for n := 0; ; n++ {
		line, tooLong, err := lines.ReadLine()
		for tooLong && err == nil { // the rest of a line beyond the buffer
			_, tooLong, err = lines.ReadLine()
		}
		if err != nil {
			return
		}
		switch {
		case n < maxLines:
			said := text.Line(string(line), maxLine)
			o.remember(said)
			log.Log(context.Background(), o.level, "says", "line", said)
		case n == maxLines:
			log.Warn("says too much; the rest is not logged")
		default:
			io.Copy(io.Discard, lines)
		}
	}
}

func (o *output) remember(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if line != "" {
		o.last = line
	}
}

// lastLine is the last line that was not empty, where a program that gave up
// says why. It is known once the output is closed.
func (o *output) lastLine() string {
	o.close()
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last
}

// close reads what is left after the child's end and stops, even where somebody
// else still holds the other end.
func (o *output) close() {
	o.end.Do(func() {
		o.reader.SetReadDeadline(time.Now().Add(time.Second))
		o.done.Wait()
		o.reader.Close()
	})
}
