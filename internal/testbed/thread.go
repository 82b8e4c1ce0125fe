package testbed

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread calls f on an OS thread that is not used for anything else before or
// after, so that f may change its namespaces and its credentials.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The main thread stands for the process in /proc; keep it as it is,
			// and busy, so that the next goroutine gets another one.
			err := onThread(f)
			runtime.UnlockOSThread()
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

// thread is one OS thread that runs functions one after the other until it is
// stopped. Its children are born into the PID namespace that it chose, and
// those with a parent death signal live as long as it does (prctl(2)).
type thread struct {
	jobs chan func()
	done chan struct{}
}

func newThread() *thread {
	t := &thread{jobs: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		onThread(func() error {
			for job := range t.jobs {
				job()
			}
			return nil
		})
	}()
	return t
}

// do calls f on the thread. It must not be called after stop.
func (t *thread) do(f func() error) error {
	result := make(chan error, 1)
	t.jobs <- func() { result <- f() }
	return <-result
}

func (t *thread) stop() {
	close(t.jobs)
	<-t.done
}
