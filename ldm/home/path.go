package home

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

var (
	errUnclean = errors.New("not a plain absolute path")
	errOutside = errors.New("not in a place for homes")
	errUnasked = errors.New("not asked for")
)

// checkHome refuses a home that lies under none of the prefixes, whatever the server says
// that it is.
func checkHome(home string, prefixes []string) error {
	if !clean(home) {
		return errUnclean
	}
	for _, p := range prefixes {
		if clean(p) && strings.HasPrefix(home, p+"/") {
			return nil
		}
	}
	return errOutside
}

// checkExtra accepts the folders that the administrator named, but none above,
// below or in the place of another that is mounted.
func checkExtra(folder string, asked, mounted []string) error {
	if !clean(folder) {
		return errUnclean
	}
	if !slices.Contains(asked, folder) {
		return errUnasked
	}
	for _, m := range mounted {
		if folder == m || strings.HasPrefix(folder, m+"/") || strings.HasPrefix(m, folder+"/") {
			return fmt.Errorf("in the way of %.200q", m)
		}
	}
	return nil
}

// clean reports whether a path is absolute and leads straight down.
func clean(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && p != "/" && len(p) < unix.PathMax &&
		utf8.ValidString(p) && !strings.ContainsFunc(p, unicode.IsControl)
}
