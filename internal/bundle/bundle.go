// Package bundle packs a few small files for the way between client and server, and
// unpacks them: a compressed tar archive of plain files with plain names. What
// arrives is not trusted to be one.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"regexp"
)

const (
	// MaxSize bounds what the files hold together, and a bundle itself, in bytes.
	MaxSize = 8 << 20

	// MaxFiles bounds the number of files.
	MaxFiles = 4096
)

// File is a file of a bundle.
type File struct {
	Path string // relative, of names that ValidPath takes
	Data []byte
}

var validPath = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.+@-]{0,127}/){0,6}[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,127}$`)

// ValidPath tells whether a path can be in a bundle: relative, not deep, of names that
// nothing has to quote and that lead nowhere else.
func ValidPath(path string) bool { return validPath.MatchString(path) }

// Pack packs files.
func Pack(files []File) ([]byte, error) {
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	size := 0
	for _, f := range files {
		if size += len(f.Data); !ValidPath(f.Path) || size > MaxSize {
			return nil, fmt.Errorf("pack %.200q, with which there are %d bytes", f.Path, size)
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.Path, Size: int64(len(f.Data)), Mode: 0o644}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if len(files) > MaxFiles {
		return nil, fmt.Errorf("pack %d files: the limit is %d", len(files), MaxFiles)
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

// overhead is what an archive may have beside the contents of its files, in bytes:
// two blocks a file for headers and padding, or four with a long name.
const overhead = MaxFiles * 4 * 512

// Unpack unpacks a bundle. It takes all of it or nothing.
func Unpack(packed []byte) ([]File, error) {
	if len(packed) > MaxSize {
		return nil, fmt.Errorf("bundle of %d bytes: the limit is %d", len(packed), MaxSize)
	}
	zipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	archive := tar.NewReader(io.LimitReader(zipped, MaxSize+overhead))
	var files []File
	seen := make(map[string]bool)
	for left := int64(MaxSize); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		left -= header.Size
		if header.Typeflag != tar.TypeReg || !ValidPath(header.Name) || seen[header.Name] || left < 0 || len(files) == MaxFiles {
			return nil, fmt.Errorf("bundle: %.200q of type %q and %d bytes", header.Name, header.Typeflag, header.Size)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
		seen[header.Name] = true
		files = append(files, File{header.Name, data})
	}
}
