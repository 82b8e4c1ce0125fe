package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// resting and working are by how much the heap grows between two collections, in percent.
	resting, working = 40, 200

	// often is how soon a collection comes after the one before where a program works.
	often = 250 * time.Millisecond

	// calm is how long without one a program rests.
	calm = time.Second
)

// Tend looks after the program's heap from now on, unless the user does by GOGC. A program calls it once, at
// its start.
func Tend() {
	if os.Getenv("GOGC") != "" {
		return
	}
	k := &keeper{set: func(percent int) { debug.SetGCPercent(percent) }, trim: debug.FreeOSMemory}
	k.set(resting)
	k.watch()
}

// keeper knows whether the program works.
type keeper struct {
	set  func(percent int)
	trim func() // gives back what is free

	mu    sync.Mutex
	last  time.Time   // of the last collection
	timer *time.Timer // runs while the program works
}

// watch has the next collection noted, and so on.
func (k *keeper) watch() {
	sentinel := &[]*keeper{k} // with a pointer, so that it lies in no block with others
	runtime.AddCleanup(sentinel, func(k *keeper) {
		k.collected(time.Now())
		k.watch()
	}, k)
}

// collected notes a collection.
func (k *keeper) collected(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	since := now.Sub(k.last)
	k.last = now
	switch {
	case k.timer != nil:
		k.timer.Reset(calm)
	case since < often:
		k.timer = time.AfterFunc(calm, k.rest)
		k.set(working)
	}
}

// rest is called when there has been no collection for a while.
func (k *keeper) rest() {
	k.mu.Lock()
	k.timer = nil
	k.set(resting)
	k.mu.Unlock()
	k.trim() // which collects
}
