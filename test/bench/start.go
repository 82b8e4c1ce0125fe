package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// countFile is where the counter on the server leaves what it has counted.
const countFile = "/tmp/goldm-bench-count"

// measureStart starts each application by each way, over each link.
func (l *lab) measureStart(ctx context.Context) (string, error) {
	var text strings.Builder
	text.WriteString("Milliseconds from the command to the application's first window on the client's screen: the median of " +
		strconv.Itoa(l.runs) + " runs in which all take turns, with the least and the most. Beside it what does not depend on the computer: the " +
		"waits for an answer of the display that took at least half a round trip, and the bytes on the link until it is quiet.\n\n")
	for _, s := range l.or(300*time.Microsecond, 20*time.Millisecond, 50*time.Millisecond) {
		if err := l.shape(s); err != nil {
			return "", err
		}
		ways, err := l.open(ctx)
		if err != nil {
			return "", err
		}
		tables, err := l.startOver(ctx, s, ways)
		if err := errors.Join(err, closeAll(ways)); err != nil {
			return "", fmt.Errorf("%v: %w", s, err)
		}
		text.WriteString(tables)
	}
	return text.String(), nil
}

// startOver measures over one link.
func (l *lab) startOver(ctx context.Context, s setting, ways []*way) (string, error) {
	times := table{title: "First window, " + s.String(), head: []string{"ms"}}
	counts := table{title: "Waits and kilobytes, " + s.String(), head: []string{"waits, kB"}}
	times.fillHead(ways, faster...)
	counts.fillHead(ways, smaller...)
	for _, a := range apps {
		if !contains(l.apps, a.name) {
			continue
		}
		took, counted, err := l.startApp(ctx, a, ways, s)
		if err != nil {
			return "", fmt.Errorf("%s: %w", a.name, err)
		}
		row, countRow := []string{a.name}, []string{a.name}
		for _, w := range ways {
			row, countRow = append(row, took[w.name].cell()), append(countRow, counted[w.name].String())
		}
		times.add(append(row, ratios(took, faster)...)...)
		counts.add(append(countRow, ratios(kilobytes(counted), smaller)...)...)
	}
	return times.String() + counts.String(), nil
}

// count is what does not depend on the computer.
type count struct {
	waits  int
	bytes  int64
	counts bool // whether the waits were counted
}

func (c count) String() string {
	kilobytes := fmt.Sprintf("%d", (c.bytes+500)/1000)
	if !c.counts {
		return kilobytes
	}
	return fmt.Sprintf("%d, %s", c.waits, kilobytes)
}

// kilobytes are of each way what there is to compare with others'.
func kilobytes(counted map[string]count) map[string]sample {
	kB := make(map[string]sample)
	for name, c := range counted {
		kB[name] = sample{float64(c.bytes) / 1000}
	}
	return kB
}

// startApp starts an application by all ways in turns, the first time with a
// counter before the display and without a clock.
func (l *lab) startApp(ctx context.Context, a app, ways []*way, s setting) (map[string]sample, map[string]count, error) {
	took, counted := make(map[string]sample), make(map[string]count)
	for run := range l.runs + 1 {
		for _, w := range alive(ways) {
			command := a.command
			if run == 0 && w.name != local {
				command = countedCommand(a, s)
			}
			start, err := l.startOnce(ctx, w, a.before, command)
			if err := w.failed(err); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", w.name, err)
			}
			if w.dead {
				continue
			}
			if run > 0 {
				took[w.name] = append(took[w.name], milliseconds(start.took()))
				continue
			}
			if counted[w.name], err = l.counted(w, start); err != nil {
				return nil, nil, err
			}
		}
	}
	return took, counted, nil
}

// countedCommand starts an application with the counter before its display.
func countedCommand(a app, s setting) string {
	return fmt.Sprintf("%s count %s %v %s", self, countFile, s.rtt/2, a.command)
}

// counted is what the first run by a way gave.
func (l *lab) counted(w *way, start start) (c count, err error) {
	c = count{bytes: start.bytes, counts: w.name != local}
	if c.counts {
		var waits []wait
		waits, err = l.readWaits(start)
		c.waits = len(waits)
	}
	return c, err
}

// readWaits returns what the counter wrote down of a start, before the window. Programs map others before that, which
// nobody sees.
func (l *lab) readWaits(start start) ([]wait, error) {
	text, err := l.Server.ReadFile(countFile)
	if err != nil {
		return nil, err
	}
	waits, err := parseWaits(string(text))
	return slices.DeleteFunc(waits, func(w wait) bool { return w.at.After(start.appeared) }), err
}

// start is one of an application.
type start struct {
	begun, appeared time.Time // the command, and the window on the client's screen
	bytes           int64     // on the link
}

func (s start) took() time.Duration { return s.appeared.Sub(s.begun) }

// endSession ends all processes of a program that is the first of a session of its own.
const endSession = "kill -TERM -$pid; sleep 0.3; kill -KILL -$pid 2>/dev/null; wait $pid 2>/dev/null"

// startOnce starts an application and ends it again.
func (l *lab) startOnce(ctx context.Context, w *way, before, command string) (s start, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	defer cancel()
	if before != "" {
		if _, err := w.shell.run(ctx, before); err != nil {
			return s, err
		}
	}
	bytesBefore := l.bytes()
	s.begun = time.Now()
	if err := w.shell.begin("setsid " + command + " </dev/null >/dev/null 2>&1 & pid=$!"); err != nil {
		return s, err
	}
	if _, s.appeared, err = l.screen.appeared(ctx); err != nil {
		return s, err
	}
	l.quiet(ctx)
	s.bytes = l.bytes() - bytesBefore
	if _, err := w.shell.run(ctx, endSession); err != nil {
		return s, err
	}
	return s, l.screen.empty(ctx)
}

// bytes is what went over the link so far, both ways.
func (l *lab) bytes() int64 {
	client, server := l.Count()
	return client.Bytes + server.Bytes
}

// quiet waits until hardly anything has gone over the link for a moment, but
// not for ever: a cursor may blink.
func (l *lab) quiet(ctx context.Context) {
	const moment, hardly, most = 400 * time.Millisecond, 2000, 10 * time.Second
	for end := time.Now().Add(most); time.Now().Before(end) && ctx.Err() == nil; {
		before := l.bytes()
		time.Sleep(moment)
		if l.bytes()-before < hardly {
			return
		}
	}
}
