package cluster

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

// heapOf tells by how much f makes the heap grow; what it returns stays alive meanwhile.
func heapOf(f func() any) int64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// wide is a host name of the greatest length that differs by n.
func wide(n int) string {
	label := strings.Repeat("a", 60)
	return fmt.Sprintf("%s.%s.%s.%s%05d", label, label, label, label, n)
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	value, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Servers that say as much as they may, and more, take no more memory than the constants tell.
func TestAttackMemory(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	user := strings.Repeat("ö", maxUser/2-3)
	name := strings.ToLower(wide(0))[:200]
	fill := map[string]struct {
		number int
		each   int64
		put    func(d *directory, n int)
		count  func(d *directory) int
	}{
		"sessions": {maxSessions, sessionMemory, func(d *directory, n int) {
			s := Session{User: fmt.Sprint(user[:min(len(user), 200)], n/maxSessionsUser), Server: name, ID: fmt.Sprintf("%064d", n), Client: strings.Repeat("ö", maxText/2), Began: time.Now()}
			// The key with all escapes, as long as a key may be.
			key := sessionsKey + url.PathEscape(s.User) + "/" + s.Server + "/" + s.ID
			if len(key) > maxKey {
				t.Fatalf("a key of %d bytes", len(key))
			}
			d.put(key, marshal(t, s), log)
		}, func(d *directory) int { return len(d.sessions) }},
		"endings": {maxEndings, endingMemory, func(d *directory, n int) {
			key := endingsKey + name + "/" + fmt.Sprintf("%064d", n)
			d.put(key, marshal(t, ending{User: user[:maxUser-6], By: strings.Repeat("ö", maxText/2)}), log)
		}, func(d *directory) int { return len(d.endings) }},
		"servers": {maxServers, serverMemory, func(d *directory, n int) {
			s := Server{Identity: strings.Repeat("x", maxText), Version: strings.Repeat("x", 100), Port: 22, Report: Report{Rating: 5}}
			for i := range 7 { // what the greatest value has room for
				s.Hosts = append(s.Hosts, wide(i))
				s.Keys = append(s.Keys, strings.Repeat("k", maxText))
			}
			value := marshal(t, s)
			if len(value) > maxValue {
				t.Fatalf("a value of %d bytes", len(value))
			}
			d.put(serverKey(wide(n)), value, log)
		}, func(d *directory) int { return len(d.servers) }},
		"nonsense": {maxServers, lostMemory, func(d *directory, n int) {
			d.put(serversKey+fmt.Sprint(n)+strings.Repeat("x", 100<<10), []byte("{}"), log)
		}, func(d *directory) int { return len(d.bad) }},
	}
	for what, f := range fill {
		grown := heapOf(func() any {
			d := newDirectory(name)
			for n := range f.number + f.number/10 {
				f.put(d, n)
			}
			if got := f.count(d); got != f.number {
				t.Errorf("%s: %d are kept, not %d", what, got, f.number)
			}
			return d
		})
		t.Logf("%s: %d bytes each", what, grown/int64(f.number))
		if grown > int64(f.number)*f.each {
			t.Errorf("%s: %d take %d bytes, over %d each", what, f.number, grown, f.each)
		}
	}
}

// A user that has sessions without end hides no other user's.
func TestAttackOneUser(t *testing.T) {
	d := newDirectory("a")
	log := slog.New(slog.DiscardHandler)
	for n := range maxSessions {
		d.put(fmt.Sprintf("sessions/mallory/a/%d", n), []byte("{}"), log)
	}
	d.put("sessions/anna/a/1", []byte("{}"), log)
	if _, there := d.sessions["sessions/anna/a/1"]; !there || len(d.sessions) != maxSessionsUser+1 {
		t.Errorf("%d sessions", len(d.sessions))
	}
	for n := range maxSessions {
		d.drop(fmt.Sprintf("sessions/mallory/a/%d", n))
	}
	if len(d.users) != 1 {
		t.Errorf("%d users", len(d.users))
	}
	// What other servers are asked for takes no place here.
	for n := range maxSessions {
		d.put(fmt.Sprintf("endings/b/%d", n), []byte(`{"user":"mallory"}`), log)
	}
	d.put("endings/a/1", []byte(`{"user":"anna"}`), log)
	if len(d.endings) != 1 {
		t.Errorf("%d endings", len(d.endings))
	}
}
