package ldm

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"goldm/internal/logs"
	"goldm/internal/text"
)

// maxLine bounds what is logged of a foreign child's line, in characters.
const maxLine = 1000

// output logs what a child writes to its standard output and error, bounded:
// the child may be in somebody's hands. Whatever it writes is logged as its words,
// in records whose message is "says".
type output struct {
	log    *slog.Logger
	reader *os.File
	level  slog.Level // of plain lines
	framed bool       // a program of ours, which writes frames
	limit  *logs.Limiter
	done   sync.WaitGroup
	end    sync.Once

	mu   sync.Mutex
	last string
}

// newOutput returns an output for a foreign child, and the file for it, which the
// caller closes once the child has it.
func newOutput(log *slog.Logger) (*output, *os.File, error) {
	return newOutputAt(log, slog.LevelInfo)
}

// newOutputAt is newOutput with the level of what the child says.
func newOutputAt(log *slog.Logger, level slog.Level) (*output, *os.File, error) {
	return startOutput(&output{log: log, level: level}, logs.Plain)
}

// newFramedOutput is newOutput for a program of ours that is started with
// logs.Child in its environment.
func newFramedOutput(log *slog.Logger) (*output, *os.File, error) {
	return startOutput(&output{log: log, level: slog.LevelInfo, framed: true}, logs.Framed)
}

func startOutput(o *output, rates logs.Rates) (*output, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	o.reader = r
	o.limit = logs.NewLimiter(rates, o.leftOut)
	o.done.Go(o.copy)
	return o, w, nil
}

// copy logs line by line until the child has ended.
func (o *output) copy() {
	size := utf8.UTFMax * maxLine
	if o.framed {
		size = logs.MaxFrame
	}
	lines := bufio.NewReaderSize(o.reader, size)
	for {
		line, cut, err := readLine(lines)
		if err != nil {
			return
		}
		if o.framed && !cut {
			if frame, err := logs.Parse(line); err == nil {
				o.logFrame(frame)
				continue
			}
		}
		o.logPlain(string(line), cut)
	}
}

// readLine returns a copy of the beginning of the next line, as much as the
// reader's buffer holds, and whether more followed, which it discards.
// (*bufio.Reader).ReadLine returns its buffer, which the next call overwrites.
func readLine(lines *bufio.Reader) (head []byte, cut bool, err error) {
	part, more, err := lines.ReadLine()
	head = append(head, part...)
	for more && err == nil {
		cut = true
		_, more, err = lines.ReadLine()
	}
	return head, cut, err
}

func (o *output) logFrame(f logs.Frame) {
	o.remember(f.String())
	ctx := logs.Said(context.Background())
	if o.log.Enabled(ctx, f.Level) && o.limit.Take(f.Message) {
		o.log.LogAttrs(ctx, f.Level, "says", f.Said())
	}
}

func (o *output) logPlain(line string, cut bool) {
	o.remember(line)
	ctx := logs.Said(context.Background())
	if !o.log.Enabled(ctx, o.level) || !o.limit.Take("") {
		return
	}
	attrs := []slog.Attr{slog.String("line", text.Line(line, maxLine))}
	if cut || utf8.RuneCountInString(line) > maxLine {
		attrs = append(attrs, slog.Bool("cut", true))
	}
	o.log.LogAttrs(ctx, o.level, "says", attrs...)
}

// leftOut logs how many lines were not.
func (o *output) leftOut(kind string, number int) {
	o.log.Warn("the process says too much: lines left out", "number", number, "like", kind)
}

func (o *output) remember(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if strings.TrimSpace(line) != "" {
		o.last = line
	}
}

// lastLine is the last line that was not empty, where a program that gave up
// says why. It is known once the output is closed.
func (o *output) lastLine() string {
	o.close()
	o.mu.Lock()
	defer o.mu.Unlock()
	return text.Line(o.last, maxLine)
}

// close reads what is left after the child's end and stops, even where somebody
// else still holds the other end.
func (o *output) close() {
	o.end.Do(func() {
		o.reader.SetReadDeadline(time.Now().Add(time.Second))
		o.done.Wait()
		o.reader.Close()
		o.limit.Close()
	})
}
