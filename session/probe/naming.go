package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// canName fails when this process may not read any more what package net reads to find a server by its name:
// a program of the network's has put another file in the place of one, and a fence is about
// files, not about their names. ldm then starts another probe.
func canName() error {
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("another file has come: %w", err)
		}
		if err == nil {
			file.Close()
		}
	}
	return nil
}
