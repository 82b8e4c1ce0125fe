package menu

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// slots is how many sessions of a user have names of their own for their menus.
const slots = 16

// Settle gives the menu a name in the user's runtime directory that later sessions
// have again: Plasma keeps a cache in the home for each XDG_DATA_DIRS that it
// has seen (ksycoca), some megabytes, for good. The menu does without where that fails.
func (m *Menu) Settle(runtime string) error {
	if m == nil {
		return nil
	}
	if !filepath.IsAbs(runtime) || strings.Contains(runtime, ":") {
		return fmt.Errorf("the runtime directory %q cannot stand in a list", runtime)
	}
	lock, err := os.Open(runtime)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", runtime, err)
	}
	for n := 1; n <= slots; n++ {
		name := filepath.Join(runtime, fmt.Sprintf("ltsp-menu-%d", n))
		if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			continue // another session's
		}
		os.Remove(name) // of a session that ended badly: it leads nowhere
		if err := os.Symlink(m.dir, name); err != nil {
			return err
		}
		m.name = name
		return nil
	}
	return errors.New("too many sessions have menus")
}

// Remove removes the name. The folder itself is its maker's to remove.
func (m *Menu) Remove() error {
	if m == nil || m.name == "" {
		return nil
	}
	return os.Remove(m.name)
}
