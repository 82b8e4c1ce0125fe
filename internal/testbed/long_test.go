package testbed

import (
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed/link"
)

// The machines find each other over a long line by the same names, each way takes its time,
// and what goes over it is counted.
func TestLengthen(t *testing.T) {
	b := Start(t, Config{})
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		if err := b.Lengthen(link.Shape{Delay: delay, Rate: 100_000_000}); err != nil {
			t.Fatal(err)
		}
		before, _ := b.Count()
		for _, version := range []string{"-4", "-6"} {
			begin := time.Now()
			out, err := b.Client.Output(t.Context(), "ping", version, "-n", "-c", "1", "-W", "60", "server")
			if err != nil || !strings.Contains(out, " 1 received") {
				t.Fatalf("%v: %s", err, out)
			}
			if took := time.Since(begin); took < 2*delay {
				t.Errorf("a ping took %v over a line of %v each way", took, delay)
			}
		}
		if after, _ := b.Count(); after.Packets < before.Packets+2 {
			t.Errorf("counted %+v, then %+v", before, after)
		}
	}
	// A lot of data arrives whole, in packets that the kernel has not cut up.
	const size = 8 << 20
	listener, err := b.Server.Listen(t.Context(), "tcp", "server:9")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := b.Client.Dial(t.Context(), "tcp", "server:9")
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		conn.Write(make([]byte, size))
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begin, got, buf := time.Now(), 0, make([]byte, 1<<20)
	for got < size {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		got += n
	}
	client, _ := b.Count()
	t.Logf("%.1f Mbit/s of 100; %d packets for %d bytes, %d dropped", float64(size)*8e-6/time.Since(begin).Seconds(), client.Packets, client.Bytes, client.Dropped)
}
