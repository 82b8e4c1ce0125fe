package menu

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/desktopentry"
	"goldm/internal/whole"
)

const suffix = ".desktop"

// The bounds of the search for desktop files.
const (
	maxSources = 4000
	maxDepth   = 4 // of folders below "applications"
)

// findSources finds the desktop files and their ids: the path below "applications",
// with dashes for slashes; of two with one id the first counts (Desktop Entry
// Specification, "File naming").
func (c *collector) findSources() {
	c.sources = make(map[string]string)
	for _, dir := range c.DataDirs {
		root, err := filepath.EvalSymlinks(filepath.Join(dir, "applications"))
		if err != nil {
			continue // most clients lack one of the folders
		}
		err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // a folder that cannot be read has no programs
			}
			below, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if strings.Count(below, "/") >= maxDepth {
					c.log.Warn("desktop files left out: the folder lies too deep", "folder", file)
					return fs.SkipDir
				}
				return nil
			}
			id, ok := strings.CutSuffix(strings.ReplaceAll(below, "/", "-"), suffix)
			if _, known := c.sources[id]; !ok || known {
				return nil
			}
			if len(c.sources) == maxSources {
				return errTooMuch
			}
			c.sources[id] = file
			return nil
		})
		if err != nil {
			c.log.Warn("desktop files left out", "folder", root, "err", err)
		}
	}
}

// read reads a desktop file.
func read(path string) (*desktopentry.File, []byte, error) {
	raw, err := readBounded(path, desktopentry.MaxFile)
	if err != nil {
		return nil, nil, err
	}
	file, err := desktopentry.Parse(bytes.NewReader(raw))
	return file, raw, err
}

// readBounded reads a regular file that is not too large.
func readBounded(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path) // first, since opening a fifo blocks
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, errors.New("no regular file, or too large")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return whole.Read(file, limit)
}
