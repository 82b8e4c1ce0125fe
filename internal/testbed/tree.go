package testbed

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

var (
	//go:embed tree/packages.list
	packagesList string

	//go:embed tree/customize.sh
	customizeScript string
)

// keepUnused is how long a tree of another recipe stays in the cache, for who
// goes back and forth between two branches.
const keepUnused = 24 * time.Hour

// tree is a Debian root file system in the cache, locked against removal.
type tree struct {
	root    string   // the tree's folder, which nobody writes to
	scratch string   // an empty folder for machines to mount their tmpfs on
	lock    *os.File // flock(2), shared
}

// Close allows others to remove the tree.
func (t *tree) Close() error { return t.lock.Close() }

// openTree returns the tree that a builder would build, building it where
// needed. The builder's release may be empty, for that of this host.
func openTree(ctx context.Context, b builder) (*tree, error) {
	if b.suite == "" {
		var err error
		if b.suite, err = hostSuite(); err != nil {
			return nil, err
		}
	}
	cache, err := cacheFolder()
	if err != nil {
		return nil, err
	}
	name := "tree-" + b.suite + "-" + b.recipeHash()
	t := &tree{root: filepath.Join(cache, name), scratch: filepath.Join(cache, "scratch")}
	if err := os.MkdirAll(t.scratch, 0o755); err != nil {
		return nil, err
	}
	if t.lock, err = os.OpenFile(t.root+".lock", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, err
	}
	if err := t.provide(ctx, b); err != nil {
		t.lock.Close()
		return nil, err
	}
	return t, nil
}

// provide makes sure that the tree exists and is locked. Of several programs
// that want it at once, one builds and the others wait.
func (t *tree) provide(ctx context.Context, b builder) error {
	if err := flock(ctx, t.lock, unix.LOCK_SH); err != nil {
		return err
	}
	if _, err := os.Stat(t.root); err == nil {
		return os.Chtimes(t.lock.Name(), time.Time{}, time.Now()) // for sweep
	}
	if err := flock(ctx, t.lock, unix.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(t.root); errors.Is(err, os.ErrNotExist) {
		if err := b.build(ctx, t.root); err != nil {
			return err
		}
		t.sweep(b)
	}
	return flock(ctx, t.lock, unix.LOCK_SH)
}

// sweep removes trees of the same release that nobody uses any more.
func (t *tree) sweep(b builder) {
	locks, _ := filepath.Glob(filepath.Join(filepath.Dir(t.root), "tree-"+b.suite+"-*.lock"))
	for _, path := range locks {
		info, err := os.Stat(path)
		if path == t.lock.Name() || err != nil || time.Since(info.ModTime()) < keepUnused {
			continue
		}
		if err := removeTree(path); err != nil {
			b.progress.say("an old tree stays: %v", err)
		}
	}
}

func removeTree(lockPath string) error {
	lock, err := os.OpenFile(lockPath, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // in use
	}
	root := strings.TrimSuffix(lockPath, ".lock")
	return errors.Join(os.RemoveAll(root), os.RemoveAll(root+newSuffix), os.Remove(lockPath))
}

// flock is flock(2) that gives up when ctx is done.
func flock(ctx context.Context, f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func cacheFolder() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("where to keep it: %w", err)
	}
	return filepath.Join(cache, "goldm"), nil
}

// recipeHash changes with everything that makes one tree differ from another.
func (b builder) recipeHash() string {
	h := sha256.New()
	parts := []string{b.suite, runtime.GOARCH, packagesList, customizeScript}
	if b.extra != "" {
		parts = append(parts, b.extra)
	}
	for _, part := range parts {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	fmt.Fprint(h, buildOptions)
	return fmt.Sprintf("%x", h.Sum(nil)[:6])
}

// packages returns the names in the text of a list that are for a release.
func packages(list, suite string) []string {
	var names []string
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") && (len(f) == 1 || f[1] == suite) {
			names = append(names, f[0])
		}
	}
	return names
}

// hostSuite returns the Debian release that this host runs: os-release(5).
func hostSuite() (string, error) {
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", err
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = strings.Trim(value, `"'`)
		}
	}
	if values["ID"] != "debian" || values["VERSION_CODENAME"] == "" {
		return "", fmt.Errorf("this host runs %q, not a release of Debian", values["PRETTY_NAME"])
	}
	return values["VERSION_CODENAME"], nil
}

// progress says what a long build is at.
type progress struct {
	out   io.Writer
	begin time.Time
}

func newProgress(out io.Writer) progress {
	if out == nil {
		out = os.Stderr
	}
	return progress{out: out, begin: time.Now()}
}

func (p progress) say(format string, args ...any) {
	fmt.Fprintf(p.out, "debian tree: %s (%d s)\n", fmt.Sprintf(format, args...), int(time.Since(p.begin).Seconds()))
}
