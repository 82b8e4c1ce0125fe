package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"goldm/ldm/greetd"
)

// lines keeps what the daemon reports.
type lines struct{ strings.Builder }

// say sends what a greeter sends and returns the last response.
func say(t *testing.T, c net.Conn, requests ...greetd.Request) greetd.Response {
	t.Helper()
	var last greetd.Response
	for _, r := range requests {
		response, err := call(c, r)
		if err != nil {
			t.Fatalf("%T: %v", r, err)
		}
		last = response
	}
	return last
}

func call(c net.Conn, r greetd.Request) (greetd.Response, error) {
	if err := greetd.WriteRequest(c, r); err != nil {
		return nil, err
	}
	return greetd.ReadResponse(c)
}

func answer(s string) *greetd.PostResponse { return &greetd.PostResponse{Response: &s} }

func serve(t *testing.T, seat seat) (net.Conn, *daemon, *lines) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	out := new(lines)
	d := newDaemon(seat, listener, out)
	t.Cleanup(d.close)
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, d, out
}

func TestLogin(t *testing.T) {
	c, d, out := serve(t, seat{after: -1})
	if r, ok := say(t, c, &greetd.Describe{}).(*greetd.Seat); !ok || len(r.Servers) != 2 {
		t.Errorf("describe: %+v", r)
	}
	if r, ok := say(t, c, &greetd.StartSession{}).(*greetd.Error); !ok || r.Type != greetd.OtherError {
		t.Errorf("start before login: %+v", r)
	}
	if r, ok := say(t, c, &greetd.CreateSession{Username: "anna"}, answer("wrong")).(*greetd.Error); !ok || r.Type != greetd.AuthError {
		t.Errorf("wrong password: %+v", r)
	}
	last := say(t, c, &greetd.CreateSession{Username: "otp"}, answer("secret"), answer("123456"), &greetd.StartSession{})
	if _, ok := last.(*greetd.Success); !ok {
		t.Errorf("login: %+v", last)
	}
	c.Close()
	d.close()
	want := `connected
describe
start_session
create_session "anna"
answered
create_session "otp"
answered
answered
start_session
closed
`
	if out.String() != want {
		t.Errorf("reported\n%s", out)
	}
}

func TestCancel(t *testing.T) {
	c, d, _ := serve(t, seat{after: -1})
	last := say(t, c, &greetd.CreateSession{Username: "anna"}, &greetd.CancelSession{}, &greetd.CreateSession{Username: "motd"}, answer("secret"))
	if m, ok := last.(*greetd.AuthMessage); !ok || m.Type != greetd.Info {
		t.Errorf("after cancel: %+v", last)
	}
	d.close() // in the middle of the dialogue
	if _, err := call(c, &greetd.PostResponse{}); err == nil {
		t.Error("the daemon answers after its end")
	}
}

func TestAccounts(t *testing.T) {
	c, d, out := serve(t, seat{guest: "ready", automatic: "locked", after: 5})
	if r, ok := say(t, c, &greetd.Describe{}).(*greetd.Seat); !ok || !r.Guest || *r.Automatic != (greetd.Automatic{After: 5}) {
		t.Errorf("describe: %+v", r)
	}
	if r, ok := say(t, c, &greetd.AutomaticSession{}).(*greetd.Error); !ok || r.Type != greetd.AuthError {
		t.Errorf("locked account: %+v", r)
	}
	if r, ok := say(t, c, &greetd.AutomaticSession{Guest: true}, &greetd.StartSession{}).(*greetd.Success); !ok {
		t.Errorf("guest: %+v", r)
	}
	c.Close()
	d.close()
	if want := "create_automatic_session\ncreate_automatic_session of a guest\nstart_session\n"; !strings.Contains(out.String(), want) {
		t.Errorf("reported\n%s", out)
	}
}
