package infowire

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func full() Info {
	return Info{
		Version: Version, Agent: "1.0", Capabilities: []string{"session"},
		Rating: 87, Drained: true, Running: 3,
		Servers:   []string{"ltsp2", "ltsp3:2222"},
		Sessions:  []Session{{ID: "xfce", Name: "Xfce Session", Names: map[string]string{"de": "Xfce-Sitzung"}, Exec: []string{"startxfce4"}}},
		Languages: []string{"de_DE.UTF-8", "C.UTF-8"},
		Keyboard:  &Keyboard{Model: "pc105", Layout: "de"},
		Load:      &Load{CPUs: 4, One: 0.5, Five: 0.25, Fifteen: 0.125},
		Memory:    &Memory{Total: 8 << 30, Available: 4 << 30},
		Pressure:  &Pressure{CPU: 1.5},
	}
}

func TestThereAndBack(t *testing.T) {
	answer, err := Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(answer)
	if err != nil {
		t.Fatal(err)
	}
	want := full()
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
}

func TestDecode(t *testing.T) {
	info, err := Decode([]byte(`{"version":1,"some":{"thing":["new"]}}`))
	if err != nil || info.Rating != Unknown || info.Running != Unknown {
		t.Errorf("what is not said is not unknown: %+v, %v", info, err)
	}
	for _, bad := range []string{
		"", "{}", "null", "[]", "<html>", `{"version":2}`, `{"version":1`, `{"version":1,"rating":101}`, `{"version":1,"rating":-2}`,
		`{"version":1,"rating":1e99}`, `{"version":1,"rating":87.5}`, `{"version":1,"rating":"87"}`, `{"version":1,"running":-2}`,
		`{"version":1,"drained":1}`, `{"version":1,"servers":[""` + strings.Repeat(`,""`, MaxServers) + `]}`, `{"version":1,"sessions":{}}`,
		`{"version":1,"agent":"` + strings.Repeat("x", MaxSize) + `"}`,
	} {
		if info, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%.60s: %+v, want an error", bad, info)
		}
	}
}

// A server with far too much to offer still says how loaded it is.
func TestLongAnswersAreShortened(t *testing.T) {
	info := full()
	for i := range 2000 {
		info.Languages = append(info.Languages, fmt.Sprintf("xx_%04d.UTF-8", i))
		info.Sessions = append(info.Sessions, Session{
			ID: fmt.Sprint("session", i), Exec: []string{strings.Repeat("word ", 20)}, Names: map[string]string{"de": "Sitzung"},
		})
	}
	answer, err := Encode(info)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(answer)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rating != 87 || len(got.Sessions) < 100 || got.Sessions[0].ID != "xfce" || got.Languages[0] != "de_DE.UTF-8" {
		t.Errorf("%d sessions, %d languages, rating %d", len(got.Sessions), len(got.Languages), got.Rating)
	}
	if info.Sessions[0].Names == nil || len(info.Languages) != 2002 {
		t.Error("the caller's slices were changed")
	}
	if answer, err := Encode(Info{Version: Version, Agent: strings.Repeat("x", MaxSize)}); err == nil {
		t.Errorf("%d bytes, want an error", len(answer))
	}
}

func FuzzDecode(f *testing.F) {
	answer, err := Encode(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Add([]byte(`{"version":1,"rating":0,"drained":true,"running":-1}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		info, err := Decode(answer)
		if err != nil {
			return
		}
		if info.Rating < Unknown || info.Rating > 100 {
			t.Fatalf("a rating of %d", info.Rating)
		}
		again, err := Encode(*info)
		if err != nil {
			return // strings that JSON writes longer than it reads them
		}
		if _, err := Decode(again); err != nil {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
