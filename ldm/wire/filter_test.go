package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"goldm/internal/tagged"
)

func filterPair(t *testing.T) (daemon, filter *Conn) {
	t.Helper()
	daemon, file, err := FilterPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { daemon.Close() })
	filter, err = Filter(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { filter.Close() })
	return daemon, filter
}

func TestFiltersMessagesCross(t *testing.T) {
	daemon, filter := filterPair(t)
	writers, closed := pipes(t, MaxListeners)
	admit := &Admit{Display: ":7", Cookie: []byte("0123456789abcdef"), Shown: []byte("fedcba9876543210"), UID: 30000, Listeners: writers}
	if err := errors.Join(daemon.Send(admit), filter.Send(&Admitting{})); err != nil {
		t.Fatal(err)
	}
	got, err := filter.Receive()
	if err != nil || !cmp.Equal(got, Message(admit), cmpopts.IgnoreFields(Admit{}, "Listeners")) {
		t.Fatalf("got %+v, %v", got, err)
	}
	if n := len(got.(*Admit).Listeners); n != MaxListeners {
		t.Errorf("%d listeners", n)
	}
	CloseFiles(got)
	closed("after CloseFiles")
	if got, err := daemon.Receive(); err != nil || !cmp.Equal(got, Message(&Admitting{})) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A filter, which programs may have taken over, has no say in anything else.
func TestFilterSaysNothingElse(t *testing.T) {
	for name, m := range map[string]Message{"a program": &Run{ID: 1, Args: []string{"id"}}, "a home": &Home{ID: 1}, "an end": &Ended{}} {
		daemon, filter := filterPair(t)
		if err := filter.Send(m); err != nil {
			t.Fatal(err)
		}
		var bad *tagged.BadMessage
		if got, err := daemon.Receive(); !errors.As(err, &bad) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
