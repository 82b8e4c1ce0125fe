package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"goldm/internal/testbed"
)

// measureMemory looks at the ways' own processes while applications run.
func (l *lab) measureMemory(ctx context.Context) (string, error) {
	t := table{
		title: "Megabytes of the ways' own processes on both machines while xterm, gtk3-demo and mousepad run and nobody uses them: each page counted in parts by " +
			"how many share it (PSS, proc_pid_smaps(5)).",
		head: []string{"way", "client", "server", "together", "which"},
	}
	if err := l.shape(setting{300 * time.Microsecond, 1000}); err != nil {
		return "", err
	}
	for _, name := range []string{ssh, sshC, nx, ours, accelerated} {
		before := l.pids()
		ways, err := l.open(ctx, name)
		if err != nil {
			return "", err
		}
		row, err := l.memoryOf(ctx, ways[0], before)
		if err := errors.Join(err, closeAll(ways)); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		t.add(row...)
	}
	for _, of := range []func(context.Context) ([]string, error){l.memoryOfSeat, l.memoryOfDesktop} {
		row, err := of(ctx)
		if err != nil {
			return "", err
		}
		t.add(row...)
	}
	return t.String(), nil
}

// The three programs.
const (
	startThree = "for p in xterm gtk3-demo 'mousepad --disable-server'; do setsid $p >/dev/null 2>&1 & done"
	endThree   = "pkill -x xterm; pkill -x gtk3-demo; pkill -x mousepad"
)

func (l *lab) memoryOf(ctx context.Context, w *way, before map[string]bool) ([]string, error) {
	if _, err := w.shell.run(ctx, startThree); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := l.screen.wait(ctx, "three windows", func(shown map[uint32]time.Time) bool { return len(shown) >= 3 }); err != nil {
		return nil, err
	}
	l.rest(ctx)
	row := l.memoryRow(w.name, before, isTransport)
	if _, err := w.shell.run(ctx, endThree); err != nil {
		return nil, err
	}
	return row, l.screen.empty(ctx)
}

// rest waits until nothing happens, and our programs have noticed that (internal/heap).
func (l *lab) rest(ctx context.Context) {
	const noticed = 3 * time.Second
	l.quiet(ctx)
	select {
	case <-time.After(noticed):
	case <-ctx.Done():
	}
}

// memoryOfSeat is that of ldm and all that it runs for a login, with the agent.
func (l *lab) memoryOfSeat(ctx context.Context) ([]string, error) {
	before := l.pids()
	s, err := l.startSeat(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	_, display, err := s.login(ctx, "icewm-session")
	if err != nil {
		return nil, err
	}
	defer display.Close()
	if _, err := mapped(display); err != nil {
		return nil, err
	}
	l.rest(ctx)
	row := l.memoryRow("a seat with IceWM", before, func(p testbed.Process) bool {
		return isTransport(p) || p.Program() == "ldm"
	})
	_, err = l.Server.Output(ctx, "pkill", "-x", "icewm-session")
	return row, err
}

// memoryOfDesktop is that of a session with a whole desktop: IceWM, and the three in it.
func (l *lab) memoryOfDesktop(ctx context.Context) ([]string, error) {
	const own = ":8" // there is a window manager on the other one
	ctx, cancel := context.WithTimeout(ctx, 2*limit)
	x, err := l.startX(ctx, own)
	if err != nil {
		cancel()
		return nil, err
	}
	defer x.Wait() // its status is that of what was killed
	defer cancel()
	before := l.pids()
	command := l.asClient(ctx, "ldm-session", "--no-sound", "--x11", "accelerated", target, "--", remoteShell)
	command.Env = append(command.Env, "DISPLAY="+own)
	s, err := newShell(command)
	if err != nil {
		return nil, err
	}
	const desktop = "icewm-session >/dev/null 2>&1 & "
	const shown = "; until xprop -root _NET_CLIENT_LIST | grep -q '0x.*, 0x.*, 0x'; do sleep 0.1; done; echo $DISPLAY"
	name, err := s.run(ctx, desktop+startThree+shown)
	if err == nil && !strings.HasPrefix(name, ":") {
		err = fmt.Errorf("the display is %s: that is forwarding", name)
	}
	l.rest(ctx)
	row := l.memoryRow("accelerated, with IceWM", before, isTransport)
	_, ended := s.run(ctx, endThree+"; pkill -x icewm-session")
	return row, errors.Join(err, ended, s.end())
}

// pids are the processes that are there already.
func (l *lab) pids() map[string]bool {
	there := make(map[string]bool)
	for _, m := range []*testbed.Machine{l.Client, l.Server} {
		all, err := m.Processes()
		if err != nil {
			continue
		}
		for _, p := range all {
			there[m.Name+strconv.Itoa(p.PID)] = true
		}
	}
	return there
}

// memoryRow sums up the processes that are new and picked.
func (l *lab) memoryRow(name string, before map[string]bool, pick func(testbed.Process) bool) []string {
	sums, which, sizes := [2]float64{}, make(map[string]int), make(map[string]float64)
	for i, m := range []*testbed.Machine{l.Client, l.Server} {
		all, err := m.Processes()
		if err != nil {
			continue
		}
		for _, p := range all {
			if before[m.Name+strconv.Itoa(p.PID)] || !pick(p) {
				continue
			}
			program, _, _ := strings.Cut(p.Program(), ":")
			size := pss(m, p.PID)
			sums[i] += size
			sizes[program] += size
			which[program]++
		}
	}
	var words []string
	for _, program := range slices.Sorted(maps.Keys(which)) {
		words = append(words, fmt.Sprintf("%d %s %s", which[program], program, digits(sizes[program])))
	}
	return []string{name, digits(sums[0]), digits(sums[1]), digits(sums[0] + sums[1]), strings.Join(words, ", ")}
}

// pss returns a process's proportional set size in megabytes.
func pss(m *testbed.Machine, pid int) float64 {
	text, err := m.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
			kilobytes, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				return 0
			}
			return kilobytes / 1024
		}
	}
	return 0
}
