package wire

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"goldm/internal/tagged"
)

// pipes returns writing ends of pipes, and a check that nobody has them open.
func pipes(t *testing.T, n int) (writers []*os.File, closed func(name string)) {
	t.Helper()
	var readers []*os.File
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		readers, writers = append(readers, r), append(writers, w)
	}
	return writers, func(name string) {
		t.Helper()
		closeAll(writers)
		for _, r := range readers {
			if _, err := r.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: a file is still open: %v", name, err)
			}
		}
	}
}

func home(paths ...string) string {
	text, err := json.Marshal(map[string]any{"type": "home", "id": 1, "paths": paths})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestFilesCross(t *testing.T) {
	daemon, worker := pair(t)
	writers, closed := pipes(t, MaxFiles)
	sent := &Home{ID: 7, Paths: strings.Split("/home/änna,/2,/3,/4,/5,/6,/7,/8", ","), Files: writers}
	if err := worker.Send(sent); err != nil {
		t.Fatal(err)
	}
	m, err := daemon.Receive()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := m.(*Home)
	if !ok || got.ID != 7 || len(got.Files) != MaxFiles || !cmp.Equal(got.Paths, sent.Paths) {
		t.Fatalf("got %+v", m)
	}
	for i, f := range got.Files {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
		var a, b unix.Stat_t
		if unix.Fstat(int(f.Fd()), &a) != nil || unix.Fstat(int(writers[i].Fd()), &b) != nil || a.Ino != b.Ino {
			t.Errorf("file %d is another", i)
		}
	}
	CloseFiles(got)
	closed("after CloseFiles")
	if err := worker.Send(&Home{ID: 8, Detail: "no such subsystem"}); err != nil {
		t.Fatal(err)
	}
	if m, err := daemon.Receive(); err != nil || !cmp.Equal(m, Message(&Home{ID: 8, Detail: "no such subsystem"})) {
		t.Errorf("got %+v, %v", m, err)
	}
}

// A worker cannot make ldm hold files that it did not ask for.
func TestFilesThatAreNotTaken(t *testing.T) {
	for name, tt := range map[string]struct {
		packet string
		files  int
	}{
		"another message":       {`{"type":"started"}`, 1},
		"a bad message":         {`{"type":"home","paths":7}`, 1},
		"too few":               {home("/a", "/b"), 1},
		"none":                  {home("/a"), 0},
		"too many for the home": {home("/a"), 2},
		"more than any has":     {home("/a"), MaxFiles + 1},
		"very many":             {home("/a"), 200},
		"a packet too large":    {home(strings.Repeat("a", MaxPacket)), 1},
	} {
		daemon, worker := raw(t)
		writers, closed := pipes(t, tt.files)
		var fds []int
		for _, w := range writers {
			fds = append(fds, int(w.Fd()))
		}
		if err := unix.Sendmsg(int(worker.Fd()), []byte(tt.packet), unix.UnixRights(fds...), nil, 0); err != nil {
			t.Fatal(err)
		}
		var bad *tagged.BadMessage
		if m, err := daemon.Receive(); !errors.As(err, &bad) {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
		closed(name)
	}
}

// Nor can one that spreads them over several control messages.
func TestFilesInParts(t *testing.T) {
	daemon, worker := raw(t)
	writers, closed := pipes(t, 2)
	rights := append(unix.UnixRights(int(writers[0].Fd())), unix.UnixRights(int(writers[1].Fd()))...)
	if err := unix.Sendmsg(int(worker.Fd()), []byte(home("/a")), rights, nil, 0); err == nil {
		if m, err := daemon.Receive(); err == nil {
			t.Errorf("got %+v", m)
		}
	}
	closed("in parts")
}

func TestSendChecksFiles(t *testing.T) {
	_, worker := pair(t)
	writers, _ := pipes(t, MaxFiles+1)
	for name, m := range map[string]*Home{
		"too few":  {Paths: []string{"/a", "/b"}, Files: writers[:1]},
		"too many": {Paths: make([]string, MaxFiles+1), Files: writers},
	} {
		if err := worker.Send(m); err == nil {
			t.Errorf("%s: sent", name)
		}
	}
}
