package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"goldm/session/internal/backoff"
)

// The pauses stay short, and end.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = time.Minute
		p, began, tries := backoff.New(), time.Now(), 0
		for last := began; p.Wait(t.Context(), limit); tries++ {
			if pause := time.Since(last); pause <= 0 || pause > 3*time.Second {
				t.Errorf("a pause of %v", pause)
			}
			last = time.Now()
		}
		if passed := time.Since(began); passed < limit || passed > limit+3*time.Second {
			t.Errorf("gave up after %v", passed)
		}
		if tries < 20 || tries > 80 {
			t.Errorf("%d tries", tries)
		}
	})
}

func TestWaitIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if began := time.Now(); backoff.New().Wait(ctx, time.Minute) || time.Since(began) != 0 {
			t.Error("waited")
		}
	})
}
