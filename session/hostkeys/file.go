package hostkeys

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"golang.org/x/sys/unix"
)

// maxFile bounds a file, in bytes; a line has about 150.
const maxFile = 16 << 20

// readFile returns the lines of a file, none where it does not exist.
func readFile(path string) ([][]byte, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: over %d bytes", path, maxFile)
	}
	return bytes.Split(text, []byte("\n")), nil
}

// copyOf returns a nameless copy of a file's lines for knownhosts.New, which
// reads only files and takes none with a line that it does not understand.
// Such lines are empty in the copy, so that the others keep their numbers.
func (db *DB) copyOf(path string, lines [][]byte) (*os.File, error) {
	flawless := understood(bytes.Join(lines, []byte("\n"))) == nil
	var text bytes.Buffer
	for i, line := range lines {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			err := error(nil)
			if !flawless {
				err = understood(line)
			}
			if err != nil {
				db.config.Log.Warn("line of known hosts skipped", "place", fmt.Sprintf("%s:%d", path, i+1), "err", err)
			} else {
				text.Write(line)
				db.note(place{path, i + 1}, strings.Fields(string(line)))
			}
		}
		text.WriteByte('\n')
	}
	return inMemory(text.Bytes())
}

// note keeps of a line what the library does not tell.
func (db *DB) note(at place, fields []string) {
	if strings.HasPrefix(fields[0], "@") {
		db.authorities[at] = fields[0] == "@cert-authority"
		fields = fields[1:]
	}
	if len(fields) > 0 {
		db.names[at] = fields[0]
	}
}

// understood returns what knownhosts.New says about a text.
func understood(text []byte) error {
	file, err := inMemory(text)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err = knownhosts.New(pathOf(file)); err == nil {
		return nil
	}
	// The library's name of the file and its number of the line mean nothing to a reader.
	_, why, _ := strings.Cut(err.Error(), ":1: ")
	return errors.New(cmp.Or(strings.TrimPrefix(why, "knownhosts: "), err.Error()))
}

// inMemory returns a file without a name, as memfd_create(2) makes it.
func inMemory(text []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("known_hosts", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "known_hosts")
	if _, err := file.Write(text); err != nil {
		file.Close()
		return nil, fmt.Errorf("file in memory: %w", err)
	}
	return file, nil
}

// pathOf is a path by which this process can open a file once more.
func pathOf(file *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", file.Fd()) }

// remember appends the key of the server at address to a file, and makes the
// file, and its folder, where there is none.
func remember(path, address string, key ssh.PublicKey) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	line := knownhosts.Line([]string{address}, key) + "\n"
	if !endsLine(file) {
		line = "\n" + line
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Close())
}

// endsLine reports whether what is in file, if anything, ends with a newline.
func endsLine(file *os.File) bool {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return true
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, end-1)
	return err != nil || strings.HasSuffix(string(last), "\n")
}
