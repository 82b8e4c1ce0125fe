package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/tagged"
)

func probePair(t *testing.T) (daemon, probe *Conn) {
	t.Helper()
	daemon, file, err := ProbePair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close() })
	probe, err = Probe(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { probe.Close() })
	return daemon, probe
}

func TestProbesMessagesCross(t *testing.T) {
	daemon, probe := probePair(t)
	watch := &Watch{Servers: []string{"one", "two:2222"}}
	seen := &Servers{List: []Server{{Name: "two:2222", State: Up, RTT: 310, Rating: 87, Drained: true}, {Name: "one", State: Down}}}
	if err := errors.Join(daemon.Send(watch), probe.Send(seen)); err != nil {
		t.Fatal(err)
	}
	if got, err := probe.Receive(); err != nil || !cmp.Equal(got, Message(watch)) {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := daemon.Receive(); err != nil || !cmp.Equal(got, Message(seen)) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// As many servers as a probe may watch fit a message, with long names.
func TestManyServersFit(t *testing.T) {
	daemon, probe := probePair(t)
	seen := new(Servers)
	for n := range MaxServers {
		name := fmt.Sprintf("%s%03d.school.example:%d", strings.Repeat("x", 100), n, 65535)
		seen.List = append(seen.List, Server{Name: name, State: Down, RTT: 1e7, Rating: 100, Drained: true})
	}
	if err := probe.Send(seen); err != nil {
		t.Fatal(err)
	}
	if _, err := daemon.Receive(); err != nil {
		t.Error(err)
	}
}

// A probe has no say in a login, and gets nothing of one.
func TestAProbeIsNoWorker(t *testing.T) {
	daemon, probe := probePair(t)
	var bad *tagged.BadMessage
	for _, m := range []Message{&Authenticated{Server: "one"}, &Question{Kind: Secret}, &Watch{}} {
		if err := probe.Send(m); err != nil {
			t.Fatal(err)
		}
		if got, err := daemon.Receive(); !errors.As(err, &bad) {
			t.Errorf("%T: got %v, %v", m, got, err)
		}
	}
	answer := "secret"
	if err := daemon.Send(&Answer{Text: &answer}); err != nil {
		t.Fatal(err)
	}
	if got, err := probe.Receive(); !errors.As(err, &bad) {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzDecodeProbe(f *testing.F) {
	f.Add([]byte(`{"type":"servers","list":[{"name":"one","state":"up","rtt":310,"rating":87,"drained":true}]}`))
	f.Add([]byte(`{"type":"servers","list":[{"name":"one","state":"up","rtt":-1e400}]}`))
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := tagged.Decode(packet, fromProbe)
		if err != nil {
			return
		}
		again, err := tagged.Encode(m.messageType(), m)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := tagged.Decode(again, fromProbe); err != nil || !cmp.Equal(m, back) {
			t.Fatalf("%#v came back as %#v, %v", m, back, err)
		}
	})
}
