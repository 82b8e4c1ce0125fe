package xsessions

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Dirs returns the folders that hold sessions, the most important first, of the
// value of XDG_DATA_DIRS (Base Directory Specification, chapter 3).
func Dirs(dataDirs string) []string {
	var dirs []string
	for _, dir := range filepath.SplitList(cmp.Or(dataDirs, "/usr/local/share:/usr/share")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, filepath.Join(dir, "xsessions"))
		}
	}
	return dirs
}

// Find returns the session that name stands for: an id, or else the Exec of one
// (as old clients name sessions). The error says why there is none.
func Find(dirs []string, name string) (*Session, error) {
	if validID(name) {
		s, err := load(dirs, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
	}
	wanted := strings.Fields(name)
	all, _ := ids(dirs)
	for _, id := range all {
		if s, err := load(dirs, id); err == nil && slices.Equal(s.Exec, wanted) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("session %q: %w", name, fs.ErrNotExist)
}

// validID tells whether name can be a file's name without its ending: a name
// comes from the client's screen and must not lead out of the folder.
func validID(name string) bool {
	return name != "" && name[0] != '.' && !strings.ContainsAny(name, "/\x00")
}

// load reads the session of the first folder that has it.
func load(dirs []string, id string) (*Session, error) {
	for _, dir := range dirs {
		path := filepath.Join(dir, id+".desktop")
		s, err := readFile(path, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if s.Try != "" {
			if _, err := exec.LookPath(s.Try); err != nil {
				return nil, fmt.Errorf("%s: TryExec %s is not here", path, s.Try)
			}
		}
		return s, nil
	}
	return nil, fmt.Errorf("session %q: %w", id, fs.ErrNotExist)
}

// readFile reads the file of the session id. It does not wait for a pipe's writer.
func readFile(path, id string) (*Session, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Unwrap(err) // a PathError: the caller names the file
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.New("not a plain file")
	}
	return parse(id, file)
}

// scripts are where distributions keep the script that prepares an X session and runs
// its argument.
var scripts = []string{
	"/etc/X11/Xsession",
	"/etc/X11/xdm/Xsession",
	"/etc/X11/xinit/Xsession",
	"/etc/gdm3/Xsession",
	"/etc/gdm/Xsession",
	"/etc/lightdm/Xsession",
}

// Script returns the first of these that is below a root folder and executable; empty where
// none is.
func Script(root string) string {
	for _, script := range scripts {
		if IsExecutable(filepath.Join(root, script)) {
			return script
		}
	}
	return ""
}

// IsExecutable tells whether a path is that of a program or a script.
func IsExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// ids returns the ids of all folders, sorted, and which folders cannot be read.
func ids(dirs []string) (found []string, problems []error) {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // most servers have only one of them
			problems = append(problems, err)
		}
		for _, entry := range entries {
			if id, ok := strings.CutSuffix(entry.Name(), ".desktop"); ok && validID(id) {
				found = append(found, id)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), problems
}
