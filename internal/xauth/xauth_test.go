package xauth

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sample = []Entry{
	{Family: Local, Address: []byte("client1"), Number: "0", Name: MITMagicCookie, Data: []byte("0123456789abcdef")},
	{Family: Internet, Address: []byte{192, 0, 2, 7}, Number: "10", Name: MITMagicCookie, Data: []byte("fedcba9876543210")},
	{Family: Wild, Address: []byte{}, Number: "", Name: MITMagicCookie, Data: []byte("wild cookie is16")},
}

func encode(t testing.TB, entries []Entry) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, entries); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRoundTrip(t *testing.T) {
	got, err := Read(bytes.NewReader(encode(t, sample)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got); diff != "" {
		t.Error(diff)
	}
}

func TestBadFiles(t *testing.T) {
	whole := encode(t, sample[:1])
	for cut := 1; cut < len(whole); cut++ {
		entries, err := Read(bytes.NewReader(append(bytes.Clone(whole), whole[:cut]...)))
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(entries) != 1 {
			t.Errorf("second entry cut after %d bytes: %d entries, %v", cut, len(entries), err)
		}
	}
	if _, err := Read(bytes.NewReader(bytes.Repeat(whole, maxEntries+1))); err == nil {
		t.Error("no error about too many entries")
	}
	if _, err := Read(endless{}); err == nil {
		t.Error("no error about an endless file")
	}
	if err := Write(io.Discard, []Entry{{Data: make([]byte, 1<<16)}}); err == nil {
		t.Error("no error about a field that does not fit")
	}
}

// endless reads as 0xff for ever.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0xff
	}
	return len(b), nil
}

func TestLookup(t *testing.T) {
	for _, test := range []struct {
		name    string
		family  Family
		address string
		number  int
		want    string
	}{
		{"this machine", Local, "client1", 0, "0123456789abcdef"},
		{"another number", Local, "client1", 1, "wild cookie is16"},
		{"another machine", Local, "client2", 0, "wild cookie is16"},
		{"by address", Internet, "\xc0\x00\x02\x07", 10, "fedcba9876543210"},
		{"address of another family", Local, "\xc0\x00\x02\x07", 10, "wild cookie is16"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := Lookup(sample, test.family, []byte(test.address), test.number)
			if !ok || string(got.Data) != test.want {
				t.Errorf("got %q, %t", got.Data, ok)
			}
		})
	}
	other := []Entry{{Family: Wild, Name: "XDM-AUTHORIZATION-1", Data: []byte("x")}, sample[0]}
	if e, ok := Lookup(other, Local, []byte("client2"), 0); ok {
		t.Errorf("found %v for a display without an entry", e)
	}
}

func TestFilename(t *testing.T) {
	for want, environment := range map[string]map[string]string{
		"/run/x/auth":            {"XAUTHORITY": "/run/x/auth", "HOME": "/home/anna"},
		"/home/anna/.Xauthority": {"HOME": "/home/anna"},
		"":                       {},
	} {
		if got := Filename(func(key string) string { return environment[key] }); got != want {
			t.Errorf("Filename is %q, expected %q", got, want)
		}
	}
}

func TestNewCookie(t *testing.T) {
	a, b := NewCookie(), NewCookie()
	if len(a) != 16 || bytes.Equal(a, b) {
		t.Errorf("cookies %d bytes long, equal: %t", len(a), bytes.Equal(a, b))
	}
}

func TestReadFileMissing(t *testing.T) {
	if entries, err := ReadFile(filepath.Join(t.TempDir(), "none")); err != nil || entries != nil {
		t.Errorf("got %v, %v", entries, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, sample))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := Read(bytes.NewReader(data))
		again := encode(t, entries)
		if !bytes.HasPrefix(data, again) {
			t.Errorf("read as %q", again)
		}
		if err == nil && len(again) != len(data) {
			t.Errorf("%d bytes of %d were read, and no error", len(again), len(data))
		}
	})
}
