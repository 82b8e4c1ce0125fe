package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"goldm/internal/infowire"
	"goldm/ldm/wire"
)

// hears reads a request's head, so that closing does not reset the connection under the
// answer.
func hears(answer string) func(net.Conn) {
	return func(conn net.Conn) {
		for head := ""; !strings.HasSuffix(head, "\r\n\r\n"); {
			b := make([]byte, 1)
			if _, err := conn.Read(b); err != nil {
				return
			}
			head += string(b)
		}
		io.WriteString(conn, answer)
	}
}

func agent(t *testing.T, body string) string {
	t.Helper()
	return listen(t, hears(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))
}

func TestGetInfo(t *testing.T) {
	for body, want := range map[string]wire.Server{
		`{"version":1,"rating":87,"load":{"cpus":16},"sessions":[{"id":"x"}],"new":{}}`: {Rating: 87, CPUs: 16},
		`{"version":1,"rating":0,"drained":true}`:                                       {Rating: 1, Drained: true},
		`{"version":1,"rating":-1,"load":{"cpus":-3}}`:                                  {},
	} {
		got, _, err := getInfo(t.Context(), agent(t, body))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

// Whatever stands there in an agent's place, it is an error soon, and no more.
func TestGetInfoFromStrangers(t *testing.T) {
	good := `{"version":1,"rating":87}`
	elsewhere := agent(t, good)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	io.WriteString(z, good)
	z.Close()
	endless := func(conn net.Conn) {
		hears("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")(conn)
		for {
			if _, err := io.WriteString(conn, "8000\r\n"+strings.Repeat(" ", 0x8000)+"\r\n"); err != nil {
				return
			}
		}
	}
	for name, address := range map[string]string{
		"nobody":          closed(t),
		"sshd":            listen(t, says("SSH-2.0-OpenSSH_9.2\r\n")),
		"no word":         listen(t, says("")),
		"a web page":      agent(t, "<html>"),
		"another version": agent(t, `{"version":2,"rating":87}`),
		"too long":        agent(t, good+strings.Repeat(" ", infowire.MaxSize)),
		"endless":         listen(t, endless),
		"not found":       listen(t, hears("HTTP/1.1 404 Not Found\r\nContent-Length: 25\r\n\r\n"+good)),
		"elsewhere":       listen(t, hears("HTTP/1.1 302 Found\r\nLocation: http://"+elsewhere+infowire.Path+"\r\nContent-Length: 0\r\n\r\n")),
		"a long head":     listen(t, hears("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20))),
		"packed":          listen(t, hears(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", zipped.Len(), &zipped))),
		"half an answer":  listen(t, hears("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"+good)),
	} {
		if got, _, err := getInfo(t.Context(), address); err == nil || got != (wire.Server{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// An agent that hangs, or answers a byte now and then, costs three seconds.
func TestGetInfoIsBoundedInTime(t *testing.T) {
	done := make(chan struct{})
	t.Cleanup(func() { close(done) })
	address := listen(t, func(conn net.Conn) {
		hears("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")(conn)
		for {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
				if _, err := io.WriteString(conn, " "); err != nil {
					return
				}
			}
		}
	})
	if got, _, err := getInfo(t.Context(), address); err == nil {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, _, err := getInfo(ctx, address); err == nil {
		t.Errorf("after the end: %+v", got)
	}
}

func TestAskInfoOfNoServer(t *testing.T) {
	for _, name := range []string{"", "no such server.invalid", "a/b", "[::1"} {
		if got, _, err := askInfo(t.Context(), name); err == nil || got != (wire.Server{}) {
			t.Errorf("%q: %+v, %v", name, got, err)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add([]byte(`{"version":1,"rating":87,"drained":true,"load":{"cpus":4}}`))
	f.Add([]byte(`{"version":1,"rating":0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		seen, _, err := parseInfo(body)
		if err != nil && seen != (wire.Server{}) || seen.Rating < 0 || seen.Rating > 100 || seen.CPUs < 0 || seen.Name != "" || seen.State != "" {
			t.Errorf("%+v, %v", seen, err)
		}
	})
}
