package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// listWaits tells for what each application waits before its first window, by each way.
func (l *lab) listWaits(ctx context.Context) (string, error) {
	var text strings.Builder
	text.WriteString("How often the display's answer to a request was waited for, for at least half a round trip, before the first window; then " +
		"each wait of the accelerated way, with what was sent since the one before.\n\n")
	err := l.overLinks(ctx, l.or(50*time.Millisecond), []string{ssh, nx, ours, accelerated}, func(s setting, ways []*way) error {
		for _, a := range apps {
			if !contains(l.apps, a.name) {
				continue
			}
			waits, err := l.waitsOf(ctx, a, ways, s)
			if err != nil {
				return fmt.Errorf("%s: %w", a.name, err)
			}
			text.WriteString(summary(a.name+", "+s.String(), ways, waits).String())
			text.WriteString(details(a.name+", accelerated, "+s.String(), waits[accelerated]).String())
		}
		return nil
	})
	return text.String(), err
}

// waitsOf starts an application once by each way.
func (l *lab) waitsOf(ctx context.Context, a app, ways []*way, s setting) (map[string][]wait, error) {
	waits := make(map[string][]wait)
	for _, w := range alive(ways) {
		start, err := l.startOnce(ctx, w, a.before, countedCommand(a, s))
		if err == nil {
			waits[w.name], err = l.readWaits(start)
		}
		if err := w.failed(err); err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return waits, nil
}

// summary counts waits by request and way, those first that the last way has most of.
func summary(title string, ways []*way, waits map[string][]wait) *table {
	t := &table{title: title, head: []string{"waits"}}
	t.fillHead(ways)
	total, times := []string{"all"}, make(map[string][]int)
	for i, w := range ways {
		total = append(total, strconv.Itoa(len(waits[w.name])))
		for _, x := range waits[w.name] {
			if times[x.request] == nil {
				times[x.request] = make([]int, len(ways))
			}
			times[x.request][i]++
		}
	}
	t.add(total...)
	most := func(a, b string) int {
		for i := len(ways) - 1; i >= 0; i-- {
			if d := cmp.Compare(times[b][i], times[a][i]); d != 0 {
				return d
			}
		}
		return cmp.Compare(a, b)
	}
	for _, name := range slices.SortedFunc(maps.Keys(times), most) {
		row := []string{name}
		for _, n := range times[name] {
			row = append(row, strconv.Itoa(n))
		}
		t.add(row...)
	}
	return t
}

// details lists waits one by one, with when they were over since the first was.
func details(title string, waits []wait) *table {
	t := &table{title: title, head: []string{"request", "connection", "sequence", "at", "ms", "behind"}}
	for _, w := range waits {
		since := w.at.Sub(waits[0].at)
		t.add(w.what(), strconv.Itoa(w.conversation), strconv.Itoa(w.sequence), digits(milliseconds(since)), digits(milliseconds(w.took)), inShort(w.behind))
	}
	return t
}
