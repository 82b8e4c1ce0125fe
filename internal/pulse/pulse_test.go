package pulse

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A peer that answers is never blamed, also where it is slow; one that stops is, within half a minute.
func TestWatch(t *testing.T) {
	for name, slow := range map[string]time.Duration{"fast": 0, "slow": 4 * time.Second, "late": 9 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var a Asker
				stopped := make(chan struct{})
				result := make(chan error, 1)
				go func() {
					result <- a.Watch(t.Context(), DefaultLimits(), false, func(id uint32) error {
						select {
						case <-stopped:
						default:
							time.AfterFunc(slow, func() { a.Answer(id) })
						}
						return nil
					})
				}()
				time.Sleep(time.Hour)
				select {
				case err := <-result:
					t.Fatalf("blamed: %v", err)
				default:
				}
				close(stopped)
				began := time.Now()
				if err := <-result; !errors.Is(err, ErrHung) {
					t.Errorf("%v", err)
				}
				if took := time.Since(began); took > 30*time.Second+slow || took < 10*time.Second {
					t.Errorf("noticed after %v", took)
				}
			})
		})
	}
}

// A peer that does not know the question is left alone; one that never answered though it must know it is not.
func TestWatchShy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		deaf := func(uint32) error { return errors.New("nobody takes it") }
		if err := new(Asker).Watch(ctx, DefaultLimits(), true, deaf); err != nil {
			t.Errorf("shy: %v", err)
		}
		if err := new(Asker).Watch(t.Context(), DefaultLimits(), false, deaf); !errors.Is(err, ErrHung) {
			t.Errorf("%v", err)
		}
	})
}

// Answers count once, and only to what was asked.
func TestAttackAnswers(t *testing.T) {
	var a Asker
	if a.Answer(0) || a.Answer(1) || a.AnswerNext() {
		t.Error("answered before it was asked")
	}
	a.next()
	a.next()
	if a.Answer(3) || !a.Answer(2) || a.Answer(2) || a.Answer(1) || a.AnswerNext() {
		t.Error("an answer that is not due counts")
	}
	a.next()
	if !a.AnswerNext() || a.AnswerNext() {
		t.Error("an answer without a number counts twice, or not at all")
	}
}

// The second missing beat in a row is the end, and not one that is late.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		beats, result := make(chan time.Duration), make(chan error, 1)
		go func() { result <- Listen(t.Context(), time.Minute, beats) }()
		for range 100 {
			time.Sleep(24 * time.Second)
			beats <- 10 * time.Second
		}
		began := time.Now()
		if err := <-result; !errors.Is(err, ErrHung) || time.Since(began) > 30*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		go func() { result <- Listen(t.Context(), time.Minute, beats) }()
		close(beats)
		if err := <-result; err != nil {
			t.Errorf("at the end: %v", err)
		}
	})
}
