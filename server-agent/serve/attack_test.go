package serve

import (
	"io"
	"net"
	"testing"
	"time"
)

// An address that holds connections open, and sends nothing or a byte now and then, takes
// places of its own only: a client that is slow, too, keeps its connection.
func TestAttackPorts(t *testing.T) {
	const most = 50
	s := start(t, school, most)
	for _, p := range s.ports() {
		slow := dial(t, 7, p.address)
		half := len(p.ask) / 2
		io.WriteString(slow, p.ask[:half])
		for n := range 20 * most {
			conn := dial(t, 8, s.http)
			io.WriteString(conn, request[:n%len(request)])
			if n%100 != 70 {
				continue
			}
			good := dial(t, 9, p.address)
			io.WriteString(good, p.ask)
			if err := p.read(good); err != nil {
				t.Fatalf("%s: beside %d connections: %v", p.name, n, err)
			}
		}
		io.WriteString(slow, p.ask[half:])
		if err := p.read(slow); err != nil {
			t.Errorf("%s: the slow client: %v", p.name, err)
		}
	}
}

// A client that sends a byte a second is sent away.
func TestAttackByteASecond(t *testing.T) {
	t.Parallel()
	s := start(t, school, MaxConns)
	conn := dial(t, 0, s.http)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, conn)
	}()
	for n := range len(request) {
		if _, err := conn.Write([]byte{request[n]}); err != nil {
			break
		}
		select {
		case <-ended:
		case <-time.After(time.Second):
		}
	}
	<-ended
	if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("it was waited for: %v", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}
