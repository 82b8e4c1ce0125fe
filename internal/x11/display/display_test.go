package display

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
)

func TestParse(t *testing.T) {
	for name, want := range map[string]Display{
		":0":               {},
		":1.2":             {Number: 1, Screen: 2},
		"unix:0":           {},
		"unix:7.1":         {Number: 7, Screen: 1},
		"localhost:10.0":   {Host: "localhost", Number: 10},
		"192.0.2.7:0":      {Host: "192.0.2.7"},
		"[2001:db8::1]:3":  {Host: "2001:db8::1", Number: 3},
		"2001:db8::1:3":    {Host: "2001:db8::1", Number: 3},
		"/tmp/x:0":         {Path: "/tmp/x:0"},
		"unix:/run/x/sock": {Path: "/run/x/sock"},
	} {
		got, err := Parse(name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%q: %s", name, diff)
		}
		if again, err := Parse(got.String()); err != nil || !cmp.Equal(got, again) {
			t.Errorf("%q: as text %q, which is %v, %v", name, got, again, err)
		}
	}
	for _, name := range []string{
		"", "0", "host", ":", ":x", ":-1", ":+1", ":0.", ":0.x", ":0.0.0", ":65536", ":99999999999999999999",
		"host:0\x00", strings.Repeat("a", 300) + ":0",
	} {
		if d, err := Parse(name); err == nil {
			t.Errorf("%q: no error but %+v", name, d)
		}
	}
}

func TestDial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "X")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, name := range []string{path, "unix:" + path} {
		d, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := d.Dial(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		conn.Close()
	}
	d := &Display{Path: path + "2"}
	if _, err := d.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v names no display", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (&Display{Path: path}).Dial(ctx); err == nil {
		t.Error("no error under a context that is done")
	}
}

func TestAuthorize(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "Xauthority")
	entry := func(family xauth.Family, address, number, data string) xauth.Entry {
		return xauth.Entry{Family: family, Address: []byte(address), Number: number, Name: xauth.MITMagicCookie, Data: []byte(data)}
	}
	xtest.WriteAuthority(t, file,
		entry(xauth.Local, host, "0", "local"),
		entry(xauth.Local, host, "10", "forwarded"),
		entry(xauth.Internet, "\xc0\x00\x02\x07", "0", "remote"),
		entry(xauth.Internet6, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "0", "remote6"))
	for name, want := range map[string]string{
		":0":              "local",
		"unix:0":          "local",
		":1":              "",
		"127.0.0.1:10.0":  "forwarded",
		"[::1]:10":        "forwarded",
		"192.0.2.7:0":     "remote",
		"192.0.2.7:1":     "",
		"[2001:db8::1]:0": "remote6",
	} {
		d, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Authorize(t.Context(), file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if string(d.AuthData) != want || (d.AuthName != "") != (want != "") {
			t.Errorf("%s: got %s %q, expected %q", name, d.AuthName, d.AuthData, want)
		}
	}
	d := &Display{}
	if err := d.Authorize(t.Context(), file+"2"); err != nil || d.AuthName != "" {
		t.Errorf("a file that does not exist: %v, %q", err, d.AuthName)
	}
	if err := d.Authorize(t.Context(), t.TempDir()); err == nil {
		t.Error("a folder: no error")
	}
}
