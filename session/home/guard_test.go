package home

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// locker remembers what is locked on a server. As there, a file that is locked is
// locked for everybody, and takes a moment to be free.
type locker struct {
	mu     sync.Mutex
	busy   []string // what others have
	held   []string
	broken error
}

func (l *locker) lock(_ context.Context, file string) (func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(slices.Concat(l.busy, l.held), file) {
		return nil, ErrBusy
	}
	if l.broken != nil {
		return nil, l.broken
	}
	l.held = append(l.held, file)
	return func() {
		runtime.Gosched()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held = slices.DeleteFunc(l.held, func(f string) bool { return f == file })
	}, nil
}

func (l *locker) now() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.held)
}

// desk is a guard whose sides are buffers.
type desk struct {
	*guard
	t           *testing.T
	here, there bytes.Buffer
	l           *locker
}

func newDesk(t *testing.T, l *locker) *desk {
	d := &desk{t: t, l: l}
	d.guard = newGuard(t.Context(), l.lock, &d.here, &d.there, slog.New(slog.DiscardHandler))
	return d
}

// ask sends a request, which the guard passes on, in its own time, or answers.
func (d *desk) ask(p packet) {
	d.t.Helper()
	if !d.request(p) {
		d.toThere.write(p, false)
	}
	d.asking.Wait()
}

// arrived returns the packets on a side since the last look.
func arrived(t *testing.T, side *bytes.Buffer) []packet {
	t.Helper()
	var packets []packet
	for side.Len() > 0 {
		p, err := readPacket(side)
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, p)
	}
	return packets
}

// check compares what has come to the sides, and what is locked.
func (d *desk) check(step string, there, here []packet, held ...string) {
	d.t.Helper()
	if diff := cmp.Diff([][]packet{there, here}, [][]packet{arrived(d.t, &d.there), arrived(d.t, &d.here)}); diff != "" {
		d.t.Errorf("%s: %s", step, diff)
	}
	if now := d.l.now(); !slices.Equal(now, held) {
		d.t.Errorf("%s: held %q, want %q", step, now, held)
	}
}

func about(kind byte, id uint32, text string) packet {
	return appendString(binary.BigEndian.AppendUint32(packet{kind}, id), text)
}

func opening(id uint32, file string, flags uint32) packet {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(about(typeOpen, id, file), flags), 0)
}

func denied(id uint32) packet {
	status := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(packet{typeStatus}, id), statusDenied)
	return appendString(appendString(status, "in use on another computer"), "en")
}

const (
	profile = "/home/anna/.mozilla/firefox/x.default/.parentlock"
	other   = "/home/anna/.thunderbird/y/.parentlock"
	writing = 0x1a // write, create, truncate
)

func TestGuardLocks(t *testing.T) {
	d := newDesk(t, new(locker))
	open := opening(7, profile, writing)
	d.ask(open)
	d.check("opening", []packet{open}, nil, profile)
	d.answer(about(typeHandle, 7, "h1"))
	second := opening(8, profile, writing)
	d.ask(second) // another Firefox of this session
	d.answer(about(typeHandle, 8, "h2"))
	d.check("opening twice", []packet{second}, nil, profile)
	for handle, held := range map[string][]string{"h2": {profile}, "no": {profile}} {
		d.ask(about(typeClose, 9, handle))
		d.check("closing "+handle, []packet{about(typeClose, 9, handle)}, nil, held...)
	}
	d.ask(about(typeClose, 10, "h1"))
	d.check("closing the last", []packet{about(typeClose, 10, "h1")}, nil)
}

func TestGuardDenies(t *testing.T) {
	l := &locker{busy: []string{profile}}
	d := newDesk(t, l)
	d.ask(opening(7, profile, writing))
	d.check("opening", nil, []packet{denied(7)})
	link, elsewhere := about(typeRemove, 8, "/home/anna/.mozilla/firefox/x.default/lock"), about(typeRemove, 9, "/home/anna/lock")
	d.ask(link)
	d.ask(elsewhere)
	d.check("removing", []packet{elsewhere}, []packet{denied(8)})
	l.busy = nil
	d.ask(opening(10, profile, writing))
	d.check("at once", nil, []packet{denied(10)})
	d.refuse = 0
	again := opening(10, profile, writing)
	d.ask(again)
	d.ask(link)
	d.check("later", []packet{again, link}, nil, profile)
}

func TestGuardPasses(t *testing.T) {
	for name, tt := range map[string]struct {
		p packet
		l *locker
	}{
		"reading":        {opening(1, profile, 1), &locker{busy: []string{profile}}},
		"another file":   {opening(1, "/home/anna/x.parentlock", writing), &locker{busy: []string{"/home/anna/x.parentlock"}}},
		"no agent":       {opening(1, profile, writing), &locker{broken: errors.New("no agent")}},
		"cut short":      {about(typeOpen, 1, profile), &locker{}},
		"nonsense":       {packet{typeOpen, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, &locker{}},
		"a bare closing": {packet{typeClose, 0, 0, 0, 1}, &locker{}},
	} {
		d := newDesk(t, tt.l)
		d.ask(tt.p)
		d.check(name, []packet{tt.p}, nil)
	}
}

// What the server does not open is not locked for long, and what is open at the
// end not for longer.
func TestGuardLetsGo(t *testing.T) {
	d := newDesk(t, new(locker))
	d.ask(opening(1, profile, writing))
	d.answer(about(typeStatus, 1, ""))
	d.asking.Wait()
	if now := d.l.now(); len(now) > 0 {
		t.Errorf("held after a refusal: %q", now)
	}
	for id, file := range []string{profile, other, "/a/.parentlock", "/b/.parentlock"} {
		d.ask(opening(uint32(id), file, writing))
	}
	if now := d.l.now(); len(now) != maxLocks {
		t.Errorf("held: %q", now)
	}
	d.answer(about(typeHandle, 0, "h"))
	d.close()
	if now := d.l.now(); len(now) > 0 {
		t.Errorf("held after the end: %q", now)
	}
}

// A question that follows an opening does not overtake it: about a file that the
// opening makes, the answer would be that there is none.
func TestGuardKeepsOrder(t *testing.T) {
	l := new(locker)
	d := newDesk(t, l)
	open, links, follows, elsewhere := opening(7, profile, writing), about(typeLstat, 8, profile), about(typeStat, 9, profile), about(typeLstat, 10, other)
	l.mu.Lock() // the server takes its time
	d.request(open)
	for _, p := range []packet{links, follows} {
		if !d.request(p) {
			t.Errorf("packet %d overtakes", p[0])
		}
	}
	if d.request(elsewhere) {
		t.Error("another file waits too")
	}
	l.mu.Unlock()
	d.asking.Wait()
	there := arrived(t, &d.there)
	if len(there) != 3 || !slices.Equal(there[0], open) {
		t.Errorf("the server gets %q", there)
	}
	if d.request(links) || len(d.passing) > 0 {
		t.Error("a question waits for an opening that has gone on")
	}
}

// A file that is closed and opened again at once, and one that several open at the
// same time, are never taken for another computer's.
func TestGuardIsNotInItsOwnWay(t *testing.T) {
	d := newDesk(t, new(locker))
	const rounds, together = 200, 3
	for round := range uint32(rounds) {
		var handles []string
		for n := range uint32(together) {
			id := round*together + n
			d.request(opening(id, profile, writing)) // without waiting
			handles = append(handles, fmt.Sprint(id))
		}
		for _, p := range d.opened(together) {
			id := binary.BigEndian.Uint32(p[1:])
			d.answer(about(typeHandle, id, fmt.Sprint(id)))
		}
		for _, handle := range handles {
			d.request(about(typeClose, 0, handle))
		}
	}
	d.asking.Wait()
	d.check("at the end", nil, nil)
}

// opened waits until the server has been asked to open so many files.
func (d *desk) opened(n int) []packet {
	d.t.Helper()
	var there []packet
	for deadline := time.Now().Add(limit); len(there) < n; {
		if time.Now().After(deadline) {
			d.t.Fatalf("%d of %d were opened", len(there), n)
		}
		d.toThere.mu.Lock()
		there = append(there, arrived(d.t, &d.there)...)
		d.toThere.mu.Unlock()
		runtime.Gosched()
	}
	return there
}

func FuzzGuard(f *testing.F) {
	f.Add([]byte(opening(1, profile, writing)), []byte(about(typeHandle, 1, "h")))
	f.Fuzz(func(t *testing.T, asked, answered []byte) {
		if len(asked) < 5 || len(answered) < 5 {
			return
		}
		l := new(locker)
		d := newDesk(t, l)
		d.ask(asked)
		d.answer(answered)
		d.close()
		if now := l.now(); len(now) > 0 {
			t.Errorf("held: %q", now)
		}
	})
}

func FuzzCarry(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x05\x01\x00\x00\x00\x03"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var out bytes.Buffer
		to := newStream(&out)
		err := carry(bytes.NewReader(text), to, func(packet) bool { return false })
		to.w.Flush()
		if err == nil || !bytes.HasPrefix(text, out.Bytes()) || err == io.EOF && out.Len() != len(text) {
			t.Errorf("%d of %d bytes, %v", out.Len(), len(text), err)
		}
	})
}
