package fence

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"goldm/internal/landlock"
)

// everybody is what a program reads whatever it does: its own /proc, what Go's runtime asks.
func everybody() []landlock.Path {
	return append(reading(
		"/proc", "/sys/kernel/mm/transparent_hugepage",
		"/dev/zero", "/dev/random", "/dev/urandom", "/etc/localtime", "/usr/share/zoneinfo",
	), landlock.Path{Name: "/dev/null", Right: landlock.Read | landlock.Write})
}

// resolver is replaced while programs run, not rewritten. Where a program of the network's keeps it in
// a folder of its own the folder is the rule.
const resolver = "/etc/resolv.conf"

// naming is what package net reads to find a host by its name.
func naming() []landlock.Path {
	names := []string{
		resolver, "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
	}
	if file, err := filepath.EvalSymlinks(resolver); err == nil {
		if folder := filepath.Dir(file); strings.Count(folder, "/") > 1 && strings.HasPrefix(folder, "/run/") {
			names = append(names, folder)
		}
	}
	return reading(names...)
}

// menus is what the server's menus show of this client: desktop files, icons, and what
// opens links. They link to each other within the distribution's folders.
func menus() []landlock.Path { return reading("/usr", "/opt", "/etc/xdg") }

// toolkit is what GTK and what it stands on read: libraries, fonts, themes, settings.
func toolkit() []landlock.Path {
	return reading(
		"/usr", "/lib", "/lib32", "/lib64",
		"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
		"/etc/fonts", "/etc/gtk-3.0", "/etc/xdg", "/etc/dconf", "/etc/pango", "/etc/X11",
		"/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hostname", "/etc/hosts", "/etc/machine-id",
		"/etc/locale.alias", "/etc/locale.conf", "/etc/default/locale", "/etc/default/keyboard", "/etc/timezone",
		"/var/cache/fontconfig", "/var/lib/dbus/machine-id",
	)
}

func reading(names ...string) []landlock.Path {
	var paths []landlock.Path
	for _, name := range names {
		paths = append(paths, landlock.Path{Name: name, Right: landlock.Read})
	}
	return paths
}

// maxLoader bounds the path of a program's loader, elf(5).
const maxLoader = 4096

// loaderOf returns the program that the kernel executes in the place of one with shared libraries, PT_INTERP
// of elf(5); empty for one without.
func loaderOf(program string) (string, error) {
	file, err := elf.Open(program)
	if _, ok := errors.AsType[*elf.FormatError](err); ok {
		return "", fmt.Errorf("%s is no program: %w", program, err)
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	for _, segment := range file.Progs {
		if segment.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(segment.Open(), maxLoader))
			return string(bytes.TrimRight(name, "\x00")), err
		}
	}
	return "", nil
}
