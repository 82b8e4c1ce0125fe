package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"goldm/internal/testbed"
)

// drawings are what is drawn: a kind, and how many frames over a link of
// 1000 Mbit/s; over others so many that it takes about as long.
var drawings = []struct {
	name, kind string
	frames     int
}{
	{"PutImage, text", "text", 40},
	{"PutImage, photo", "photo", 40},
	{"scrolling", "scroll", 400},
}

// measureThroughput draws a lot.
func (l *lab) measureThroughput(ctx context.Context) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "MB a second of pixels, as the program hands them over: the median, the least and the most of %d. Then what went over the "+
		"link, and the CPU time of %s on both machines, per MB of pixels.\n\n", l.runs, "the way's own processes")
	err := l.overLinks(ctx, l.or(300*time.Microsecond, 20*time.Millisecond), nil, func(s setting, ways []*way) error {
		speed := table{title: "Pixels, " + s.String(), head: []string{"MB/s"}}
		costs := table{title: "Link and processors, " + s.String(), head: []string{"kB, CPU ms per MB"}}
		speed.fillHead(ways, faster...)
		costs.fillHead(ways, smaller...)
		for _, d := range drawings {
			frames := min(max(d.frames*s.mbit/1000, d.frames/20), 2*d.frames)
			of, err := l.draw(ctx, ways, d.kind, frames)
			if err != nil {
				return err
			}
			speed.add(append(cells(d.name, of.rate, ways), ratios(of.rate, faster)...)...)
			costs.add(append([]string{d.name}, of.costs(ways)...)...)
		}
		text.WriteString(speed.String() + costs.String())
		return nil
	})
	return text.String(), err
}

// drawn is what drawing gave by each way.
type drawn struct {
	rate       map[string]sample // MB a second
	bytes, cpu map[string]sample // kB and ms, per MB
}

// draw draws so many frames by all ways in turns.
func (l *lab) draw(ctx context.Context, ways []*way, kind string, frames int) (drawn, error) {
	megabytes := float64(4*drawWidth*kinds[kind].rows*frames) / 1e6 // that the program hands over
	of := drawn{make(map[string]sample), make(map[string]sample), make(map[string]sample)}
	for range l.runs {
		for _, w := range alive(ways) {
			b, c := l.bytes(), l.cpu()
			seconds, err := w.measure(ctx, self+" draw "+kind+" "+strconv.Itoa(frames))
			if err := w.failed(err); err != nil {
				return of, err
			}
			if w.dead {
				continue
			}
			of.rate[w.name] = append(of.rate[w.name], megabytes/seconds)
			of.bytes[w.name] = append(of.bytes[w.name], float64(l.bytes()-b)/1000/megabytes)
			of.cpu[w.name] = append(of.cpu[w.name], (l.cpu()-c).Seconds()*1000/megabytes)
		}
	}
	return of, nil
}

// costs are the cells of bytes and processor time, with their ratios.
func (of drawn) costs(ways []*way) (row []string) {
	for _, w := range ways {
		row = append(row, digits(of.bytes[w.name].median())+", "+digits(of.cpu[w.name].median()))
	}
	kB, ms := ratios(of.bytes, smaller), ratios(of.cpu, smaller)
	for i := range smaller {
		row = append(row, kB[i]+", "+ms[i])
	}
	return row
}

// cpu is the CPU time so far of the processes that the ways consist of.
func (l *lab) cpu() time.Duration {
	var sum time.Duration
	for _, m := range []*testbed.Machine{l.Client, l.Server} {
		all, err := m.Processes()
		if err != nil {
			continue
		}
		for _, p := range all {
			if isTransport(p) {
				sum += cpuTime(m, p.PID)
			}
		}
	}
	return sum
}

func isTransport(p testbed.Process) bool {
	name, _, _ := strings.Cut(p.Program(), ":") // "sshd: anna@notty"
	return contains(transports, name)
}

// cpuTime reads utime and stime of proc_pid_stat(5), in hundredths of a second.
func cpuTime(m *testbed.Machine, pid int) time.Duration {
	stat, err := m.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	text := string(stat)
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	var sum time.Duration
	for _, field := range f[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum
}
