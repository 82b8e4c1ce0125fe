package wire

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"goldm/internal/tagged"
	"goldm/internal/via"
)

func pair(t *testing.T) (daemon, worker *Conn) {
	t.Helper()
	daemon, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close() })
	worker, err = Worker(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { worker.Close() })
	return daemon, worker
}

func TestMessagesCross(t *testing.T) {
	daemon, worker := pair(t)
	answer := " two  blanks "
	cross := func(from, to *Conn, m Message) {
		t.Helper()
		if err := from.Send(m); err != nil {
			t.Fatal(err)
		}
		got, err := to.Receive()
		if diff := cmp.Diff(m, got); err != nil || diff != "" {
			t.Fatalf("%v\n%s", err, diff)
		}
	}
	cross(daemon, worker, &Login{ID: "1", User: "anna", Servers: []string{"s"}, X11: via.Direct, Env: map[string]string{"LTSP_CLIENT": "192.0.2.1"}})
	cross(daemon, worker, &Answer{Text: &answer})
	cross(daemon, worker, &Answer{})
	cross(daemon, worker, &Start{Session: "icewm-session", Sound: &Sound{Socket: "/run/native", Cookie: []byte{3}}})
	cross(daemon, worker, &Screen{Display: ":0", Cookie: []byte{1, 2}})
	cross(worker, daemon, &Progress{Text: "p"})
	cross(worker, daemon, &Question{Kind: Secret, Text: "Password: "})
	cross(worker, daemon, &Authenticated{Server: "s"})
	cross(worker, daemon, &Failed{Refused: true, Sentence: "No."})
	cross(worker, daemon, &Started{})
	cross(worker, daemon, &Ended{})
	cross(daemon, worker, &Ping{ID: 1})
	cross(worker, daemon, &Pong{ID: 1})
}

// A way that is none makes no login, whichever side has it.
func TestWayOfTheDisplay(t *testing.T) {
	for packet, want := range map[string]via.Way{`{"type":"login"}`: via.Auto, `{"type":"login","x11":"forwarded"}`: via.Forwarded} {
		m, err := tagged.Decode([]byte(packet), fromDaemon)
		if login, ok := m.(*Login); err != nil || !ok || login.X11 != want {
			t.Errorf("%s: %v, %v", packet, m, err)
		}
	}
	for _, packet := range []string{`{"type":"login","x11":"fast"}`, `{"type":"login","x11":3}`, `{"type":"login","x11":""}`, `{"type":"login","x11":["direct"]}`} {
		if m, err := tagged.Decode([]byte(packet), fromDaemon); err == nil {
			t.Errorf("%s: %v", packet, m)
		}
	}
	daemon, _ := pair(t)
	if err := daemon.Send(&Login{X11: 7}); err == nil {
		t.Error("it is sent")
	}
}

func TestEndIsEOF(t *testing.T) {
	daemon, worker := pair(t)
	worker.Close()
	if m, err := daemon.Receive(); err != io.EOF {
		t.Fatalf("got %v, %v", m, err)
	}
}

// raw returns the daemon's end and a bare socket in the worker's place.
func raw(t *testing.T) (*Conn, *os.File) {
	t.Helper()
	daemon, file, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close(); file.Close() })
	return daemon, file
}

func TestBadPackets(t *testing.T) {
	for name, packet := range map[string]string{
		"garbage":           "\x00\x01",
		"a daemon's answer": `{"type":"answer","text":"x"}`,
		"a daemon's screen": `{"type":"screen","display":":0","cookie":"AQI="}`,
		"a daemon's login":  `{"type":"login","user":"root"}`,
		"unknown":           `{"type":"exec","argv":["sh"]}`,
		"over the limit":    `{"type":"progress","text":"` + strings.Repeat("a", MaxPacket) + `"}`,
	} {
		daemon, worker := raw(t)
		if _, err := unix.Write(int(worker.Fd()), []byte(packet)); err != nil {
			t.Fatal(err)
		}
		var bad *tagged.BadMessage
		if m, err := daemon.Receive(); !errors.As(err, &bad) {
			t.Errorf("%s: got %v, %v", name, m, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"type":"question","kind":"secret","text":"Password: "}`))
	f.Add([]byte(`{"type":"failed","refused":true,"sentence":"No."}`))
	f.Add([]byte(`{"type":"home","id":1,"paths":["/home/anna"],"Files":[{}]}`))
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := tagged.Decode(packet, fromWorker)
		if err != nil {
			return
		}
		again, err := tagged.Encode(m.messageType(), m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := tagged.Decode(again, fromWorker); err != nil || !cmp.Equal(m, back) {
			t.Fatalf("%#v came back as %#v, %v", m, back, err)
		}
	})
}
