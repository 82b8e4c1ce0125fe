package cluster

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSessionRoundTrip(t *testing.T) {
	for _, user := range []string{"anna", `SCHOOL\anna`, "a/b", "../..", "änna", "anna@school.example", "%41", "a b"} {
		want := Session{ID: "1-a_B", User: user, Server: "ltsp1.example", Client: "station-07", Began: time.Date(2026, 11, 24, 9, 12, 0, 0, time.UTC)}
		key := sessionKey(want)
		if !strings.HasPrefix(key, userKey(user)) || strings.Count(key, "/") != 3 {
			t.Errorf("%q: key %q", user, key)
		}
		got, err := decodeSession(strings.TrimPrefix(key, sessionsKey), []byte(encode(want)))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%q: %v %s", user, err, d)
		}
	}
}

func TestBadRecords(t *testing.T) {
	d := newDirectory("a")
	server := func(change string) string {
		return `{"identity":"x","hosts":["a"],"port":22,"rating":5,"sessions":1` + change + `}`
	}
	good := map[string]string{
		"servers/a":         server(""),
		"sessions/anna/a/1": `{"client":"c","began":"2026-11-24T09:12:00Z"}`,
		"sessions/anna/a/2": `{}`,
		"endings/a/1":       `{"user":"anna","by":"c"}`,
		"servers/later":     server(`,"unknown":true`),
	}
	bad := map[string]string{
		"servers/":             server(""),
		"servers/B":            server(""),
		"servers/a/b":          server(""),
		"servers/c":            server(`,"port":0`),
		"servers/d":            server(`,"hosts":[]`),
		"servers/e":            server(`,"hosts":["-oProxyCommand=x"]`),
		"servers/f":            server(`,"rating":101`),
		"servers/g":            server(`,"sessions":-1`),
		"servers/h":            server(`,"version":"\u001b[2J"`),
		"servers/i":            server(`,"keys":["\n"]`),
		"servers/j":            server(`,"port":"22"`),
		"servers/k":            server(`,"hosts":["` + strings.Repeat(`a","`, 20) + `a"]`),
		"servers/l":            `[]`,
		"servers/m":            strings.Repeat(" ", maxValue+1),
		"sessions/anna/a":      `{}`,
		"sessions//a/1":        `{}`,
		"sessions/anna/a/b/1":  `{}`,
		"sessions/an%6Ea/a/1":  `{}`,
		"sessions/%0A/a/1":     `{}`,
		"sessions/anna/A/1":    `{}`,
		"sessions/anna/a/../1": `{}`,
		"sessions/anna/a/!":    `{}`,
		"sessions/anna/a/3":    `{"client":"\u0000"}`,
		"sessions/anna/a/4":    `{"began":"yesterday"}`,
		"sessions/" + strings.Repeat("x", 300) + "/a/1":  `{}`,
		"sessions/" + strings.Repeat("x", 2000) + "/a/1": `{}`,
		"endings/a/5": `{"by":"c"}`,
	}
	for key, value := range good {
		d.put(key, []byte(value), slog.New(slog.DiscardHandler))
		if d.bad[key] {
			t.Errorf("%q is taken for bad", key)
		}
	}
	for key, value := range bad {
		d.put(key, []byte(value), slog.New(slog.DiscardHandler))
		if !d.bad[lost(key)] {
			t.Errorf("%.100q: %.100q is taken for good", key, value)
		}
	}
	if len(d.servers) != 2 || len(d.sessions) != 2 || len(d.endings) != 1 {
		t.Errorf("%+v", d)
	}
	for key := range good {
		d.put(key, []byte("nonsense"), slog.New(slog.DiscardHandler))
	}
	if len(d.servers)+len(d.sessions)+len(d.endings) > 0 {
		t.Errorf("what has become nonsense is still there: %+v", d)
	}
	for key := range bad {
		d.drop(key)
	}
}

func TestIdentity(t *testing.T) {
	a, err := Identity()
	b, _ := Identity()
	if err != nil || a != b || len(a) != 32 {
		t.Errorf("%q, %q, %v", a, b, err)
	}
}

func FuzzPut(f *testing.F) {
	f.Add("servers/a", []byte(`{"identity":"x","hosts":["a"],"port":22}`))
	f.Add("sessions/anna/a/1", []byte(`{"client":"c","began":"2026-11-24T09:12:00Z"}`))
	f.Add("endings/a/1", []byte(`{"user":"anna"}`))
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		d := newDirectory("a")
		d.put(key, value, slog.New(slog.DiscardHandler))
		for k, s := range d.sessions {
			if sessionKey(s) != k || s.Check() != nil {
				t.Errorf("%q: %+v", k, s)
			}
		}
		for name, s := range d.servers {
			if again, err := decodeServer(name, []byte(encode(s))); err != nil || cmp.Diff(s, again) != "" {
				t.Errorf("%+v becomes %+v, %v", s, again, err)
			}
		}
		d.drop(key)
		if len(d.servers)+len(d.sessions)+len(d.endings)+len(d.bad) > 0 {
			t.Errorf("%q is not forgotten", key)
		}
	})
}
