package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// measureRoundTrips asks the display what costs it nothing.
func (l *lab) measureRoundTrips(ctx context.Context) (string, error) {
	t := table{title: "Microseconds for GetInputFocus and its reply: the mean of a second, of which the median, the least and the most of " +
		strconv.Itoa(l.runs) + ".", head: []string{"µs"}}
	err := l.overLinks(ctx, l.or(300*time.Microsecond, 20*time.Millisecond), nil, func(s setting, ways []*way) error {
		took := make(map[string]sample)
		for range l.runs {
			for _, w := range alive(ways) {
				v, err := w.measure(ctx, self+" ping 1000")
				if err == nil {
					took[w.name] = append(took[w.name], v)
				}
				if err := w.failed(err); err != nil {
					return err
				}
			}
		}
		t.fillHead(ways, faster...)
		t.add(append(cells(s.String(), took, ways), ratios(took, faster)...)...)
		return nil
	})
	return t.String(), err
}

// overLinks calls f for each link with ways open over it; nil for all ways.
func (l *lab) overLinks(ctx context.Context, links []setting, names []string, f func(setting, []*way) error) error {
	for _, s := range links {
		if err := l.shape(s); err != nil {
			return err
		}
		ways, err := l.open(ctx, names...)
		if err != nil {
			return err
		}
		if err := errors.Join(f(s, ways), closeAll(ways)); err != nil {
			return fmt.Errorf("%v: %w", s, err)
		}
	}
	return nil
}

// measure has a command run whose output is a number.
func (w *way) measure(ctx context.Context, command string) (float64, error) {
	out, err := w.shell.run(ctx, command+" 2>&1")
	if err != nil {
		return 0, fmt.Errorf("%s: %w", w.name, err)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(out), 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %s said %q", w.name, command, out)
	}
	return v, nil
}

// fillHead names the columns, once.
func (t *table) fillHead(ways []*way, ratios ...comparison) {
	if len(t.head) > 1 {
		return
	}
	for _, w := range ways {
		t.head = append(t.head, w.name)
	}
	for _, c := range ratios {
		t.head = append(t.head, c.String())
	}
}

// ratios are those at a row's end.
func ratios(took map[string]sample, all []comparison) (cells []string) {
	for _, c := range all {
		cells = append(cells, ratio(took[c.our], took[c.their]))
	}
	return cells
}

// cells are a row of what the ways took.
func cells(name string, took map[string]sample, ways []*way) []string {
	row := []string{name}
	for _, w := range ways {
		row = append(row, took[w.name].cell())
	}
	return row
}
