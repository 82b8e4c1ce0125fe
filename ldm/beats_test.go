package ldm

import (
	"testing"
	"time"
)

const patience = time.Minute

func never() bool { return false }

func hears(t *testing.T, missed <-chan struct{}, within time.Duration) bool {
	t.Helper()
	select {
	case <-missed:
		return true
	case <-time.After(within):
		return false
	}
}

// A greeter that gives no sign of life is not missed: others' do not know that they could. Neither is one
// that has closed its end.
func TestForeignGreeter(t *testing.T) {
	b, theirs, err := newBeats()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	missed := b.missing(never)
	if hears(t, missed, 4*time.Second) {
		t.Error("a greeter that says nothing is killed")
	}
	theirs.Write([]byte{1})
	theirs.Close()
	if hears(t, missed, 4*time.Second) {
		t.Error("a greeter that closed its end is killed")
	}
}

// A greeter that has begun and stops is missed, however much it wrote and whatever it promised.
func TestAttackBeats(t *testing.T) {
	for name, said := range map[string][]byte{"once": {1}, "a flood": make([]byte, 60<<10), "nothing promised": {0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, theirs, err := newBeats()
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			defer theirs.Close()
			missed := b.missing(never)
			go theirs.Write(said)
			if !hears(t, missed, 4*patience) {
				t.Error("nobody misses it")
			}
		})
	}
}

// While a program holds the screen nothing is missed; after it a greeter that hangs is.
func TestBeatsOfAHeldScreen(t *testing.T) {
	b, theirs, err := newBeats()
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	defer theirs.Close()
	held := make(chan bool)
	missed := b.missing(func() bool { return <-held })
	theirs.Write([]byte{1})
	held <- true
	held <- true
	select {
	case <-missed:
		t.Error("it is missed")
	default:
	}
	held <- false
	if !hears(t, missed, patience) {
		t.Error("nobody misses it")
	}
}
