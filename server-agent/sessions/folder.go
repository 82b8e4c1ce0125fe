package sessions

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"goldm/internal/folder"
	"goldm/internal/text"
)

// Folder is where a session keeps its files.
type Folder struct {
	Path    string // of the session alone; empty where none could be made
	Runtime string // for XDG_RUNTIME_DIR; empty for what the environment has

	lock *os.File // the folder, locked for as long as the process lives
}

// prefix is how the name of a session's folder begins; its id follows.
const prefix = "ltsp-session-"

// maxRuntime bounds the path of a folder in which sockets are made: the path of a
// socket has 107 bytes (unix(7)).
const maxRuntime = 60

// MakeFolder makes the folder of a session: in the user's runtime directory, or
// else in a temporary one, where it then has a runtime directory of the session's own.
// runtime is XDG_RUNTIME_DIR as the session found it; it may be empty. The error
// says what was wrong with that or, where there is no folder, with all others.
func MakeFolder(id, runtime string) (Folder, error) {
	var wrong error
	for _, base := range runtimes(runtime) {
		path := filepath.Join(base, prefix+id)
		err := checkRuntime(base)
		if err == nil {
			err = makeFolder(path)
		}
		if err == nil {
			return Folder{Path: path, Runtime: base, lock: lockFolder(path)}, wrong
		}
		if base == runtime {
			wrong = fmt.Errorf("runtime directory %s: %w", base, err)
		}
	}
	for _, base := range temporary {
		path := filepath.Join(base, prefix+id)
		own := filepath.Join(path, "runtime")
		err := folder.Shared(base)
		if err == nil {
			err = makeFolder(path)
		}
		if err == nil {
			err = os.Mkdir(own, 0o700)
		}
		if err == nil {
			return Folder{Path: path, Runtime: own, lock: lockFolder(path)}, wrong
		}
		wrong = errors.Join(wrong, fmt.Errorf("%s: %w", base, err))
	}
	return Folder{}, wrong
}

// RemoveFolder removes the folder of a session, wherever it was made.
func RemoveFolder(id, runtime string) error {
	var wrong error
	for _, path := range folders(id, runtime) {
		if CheckPrivate(path) == nil {
			wrong = errors.Join(wrong, remove(path))
		}
	}
	return wrong
}

// temporary are the folders that are everybody's.
var temporary = []string{"/tmp", "/var/tmp"}

// folders returns where a session's folder may be.
func folders(id, runtime string) []string {
	var paths []string
	for _, base := range append(runtimes(runtime), temporary...) {
		paths = append(paths, filepath.Join(base, prefix+id))
	}
	return paths
}

// runtimes returns the user's runtime directories: the environment's, and the usual one.
func runtimes(runtime string) []string {
	usual := fmt.Sprintf("/run/user/%d", os.Getuid())
	if runtime == "" || runtime == usual {
		return []string{usual}
	}
	return []string{runtime, usual}
}

// checkRuntime says what is wrong with a runtime directory: XDG Base Directory
// Specification 0.8. D-Bus addresses take few characters as they are.
func checkRuntime(path string) error {
	odd := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-", r))
	}
	switch {
	case !filepath.IsAbs(path) || filepath.Clean(path) != path || strings.ContainsFunc(path, odd):
		return errors.New("not a plain path")
	case len(path) > maxRuntime:
		return errors.New("the path is too long for sockets")
	}
	return CheckPrivate(path)
}

// CheckPrivate says why path is not a folder of this user alone; fs.ErrNotExist is in the error's chain where
// nothing is there.
func CheckPrivate(path string) error { return folder.Private(path, os.Getuid()) }

// makeFolder makes a folder that can be written to. A full file system often has
// room for a folder and none for what is in a file.
func makeFolder(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	probe := filepath.Join(path, "probe")
	err := os.WriteFile(probe, []byte("x"), 0o600)
	if err == nil {
		return os.Remove(probe)
	}
	return errors.Join(err, os.RemoveAll(path))
}

// maxSaid bounds what is read of that file, in bytes.
const maxSaid = 4 << 10

// endedBy is the file in a session's folder that says from where it was ended.
const endedBy = "ended-from"

// Tell leaves the name of the client that ends a session in the session's folder, for
// the session to say. runtime is the XDG_RUNTIME_DIR that it found.
func Tell(id, runtime, client string) error {
	for _, path := range folders(id, runtime) {
		if CheckPrivate(path) == nil {
			return tell(filepath.Join(path, endedBy), client)
		}
	}
	return fmt.Errorf("session %s has no folder", id)
}

func tell(path, client string) error {
	f, err := openPlain(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteString(client)
	return errors.Join(err, f.Close())
}

// openPlain opens a file that the session's programs could have put there as something
// else: a link elsewhere, or a pipe, which nobody is to wait for.
func openPlain(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, fmt.Errorf("%s: not a plain file", path)
	}
	return f, nil
}

// EndedFrom returns from where a session was ended by another one; empty
// where nobody said.
func (f Folder) EndedFrom() string {
	if f.Path == "" {
		return ""
	}
	file, err := openPlain(filepath.Join(f.Path, endedBy), os.O_RDONLY)
	if err != nil {
		return ""
	}
	defer file.Close()
	said, err := io.ReadAll(io.LimitReader(file, maxSaid))
	if err != nil {
		return ""
	}
	return text.Line(string(said), maxName)
}
