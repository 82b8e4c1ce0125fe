package e2e

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// delayed lets the client reach the server's sshd by its own port 2222 with a delay
// each way, and knows its keys there.
func (s *station) delayed(delay time.Duration) {
	s.t.Helper()
	listener, err := s.Client.Listen(s.t.Context(), "tcp", "127.0.0.1:2222")
	s.must(err)
	s.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := s.Client.Dial(s.t.Context(), "tcp", "server:22")
			if err != nil {
				near.Close()
				continue
			}
			go carryLate(near, far, delay)
			go carryLate(far, near, delay)
		}
	}()
	keys, err := s.KnownHosts()
	s.must(err)
	known := strings.Replace(keys, "server,", "[127.0.0.1]:2222,server,", -1)
	s.must(s.Client.WriteFile("/etc/ssh/ssh_known_hosts", []byte(known), 0o644))
}

// carryLate copies what arrives, each piece after a delay.
func carryLate(to, from net.Conn, delay time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
	}
	way := make(chan piece, 4096)
	go func() {
		defer close(way)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if err != nil {
				return
			}
			way <- piece{time.Now().Add(delay), data[:n]}
		}
	}()
	defer to.Close()
	for p := range way {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			from.Close()
			io.Copy(io.Discard, from)
		}
	}
}

// A minute without a gap, over a link that takes 30 ms each way.
func TestSoundForAMinute(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes more than a minute")
	}
	for _, daemon := range daemons {
		t.Run(daemon, func(t *testing.T) {
			t.Parallel() // beside the other daemon's minute, and nothing else
			s := newStation(t)
			const hertz, length = 440, time.Minute
			e := s.byHandWithSound(daemon, hertz, length)
			s.delayed(30 * time.Millisecond)
			heard(t, hertz, length, 0, func() []int16 {
				return e.record(t, func() {
					if out, err := e.command(t.Context(), "ldm-session", "anna@127.0.0.1:2222", "--", "paplay", "tone.wav").CombinedOutput(); err != nil {
						t.Errorf("%v: %s", err, out)
					}
				})
			})
		})
	}
}
