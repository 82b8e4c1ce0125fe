package abortkey

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Folder is where the kernel's input devices are.
const Folder = "/dev/input"

const (
	// rescan is how often new keyboards are looked for.
	rescan = 2 * time.Second

	// maxDevices bounds what is read at once; the kernel has 32 event devices with fixed numbers
	// (Documentation/input/input.rst), and few machines have as many.
	maxDevices = 64
)

// Watch calls pressed each time the keys are pressed, until ctx ends.
func Watch(ctx context.Context, folder string, log *slog.Logger, pressed func()) {
	w := &watcher{log: log, pressed: pressed, open: make(map[string]bool)}
	defer w.readers.Wait()
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	for {
		w.scan(ctx, folder)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

type watcher struct {
	log     *slog.Logger
	pressed func()
	readers sync.WaitGroup

	mu   sync.Mutex
	open map[string]bool // paths that are read, or are no keyboards
	told bool            // that a device cannot be read
}

// scan opens what is new.
func (w *watcher) scan(ctx context.Context, folder string) {
	paths, _ := filepath.Glob(filepath.Join(folder, "event*")) // a pattern that is right
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, path := range paths {
		if w.open[path] || len(w.open) >= maxDevices {
			continue
		}
		// Not blocking, so that Close ends a Read.
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			if !w.told {
				w.told = true
				w.log.Warn("a keyboard cannot be read for the abort key", "device", path, "cause", err)
			}
			continue
		}
		w.open[path] = true
		w.readers.Go(func() { w.read(ctx, path, f) })
	}
}

// read follows one device to its end; another may then have its name.
func (w *watcher) read(ctx context.Context, path string, f *os.File) {
	defer f.Close()
	defer context.AfterFunc(ctx, func() { f.Close() })()
	if mayHaveKeys(f) {
		follow(f, w.pressed)
	} else {
		gone(ctx, path)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, path)
}

// gone waits until a device that is no keyboard has gone.
func gone(ctx context.Context, path string) {
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, err := os.Lstat(path); err != nil {
			return
		}
	}
}
