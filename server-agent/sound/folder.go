package sound

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"goldm/server-agent/sessions"
)

// Variable is the environment variable that names the folder to the session's agent.
const Variable = "LTSP_SOUND"

// Prefix is how the folder's name begins.
const Prefix = "ltsp-sound-"

// Folder is the folder of a session's sound.
type Folder struct {
	path string
	env  []string // of the session
	log  *slog.Logger

	listener *os.File // PipeWire's socket, until PipeWire has it; nil without
	waiting  sync.WaitGroup
}

// Open takes over the folder that the session's environment names. A nil *Folder
// is that of a session without sound. Close has to follow.
func Open(env []string, log *slog.Logger) (*Folder, error) {
	path := lookup(env, Variable)
	if path == "" {
		return nil, nil
	}
	if err := check(path); err != nil {
		return nil, err
	}
	f := &Folder{path: path, env: env, log: log}
	if err := f.listen(); err != nil {
		return f, fmt.Errorf("programs of PipeWire are without sound: %w", err)
	}
	return f, nil
}

// check makes sure that a folder is one of ours, since it is going to be removed.
func check(path string) error {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || !strings.HasPrefix(filepath.Base(path), Prefix) {
		return fmt.Errorf("%s: %.200q is no folder of a session's sound", Variable, path)
	}
	if err := sessions.CheckPrivate(path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Stop ends the wait for PipeWire's first program. What runs is the session's to end.
func (f *Folder) Stop() {
	if f != nil && f.listener != nil {
		f.listener.Close()
		f.waiting.Wait()
	}
}

// Remove removes the folder that a session's environment names, after the end
// of the session's processes. Where it is gone already, that is fine.
func Remove(env []string) error {
	path := lookup(env, Variable)
	if path == "" {
		return nil
	}
	if err := check(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return os.RemoveAll(path)
}

func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
