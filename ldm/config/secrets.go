package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// isSecret tells whether a value with this name is a secret: LDM_PASSWORD, and those of other
// programs that share the file, such as LTSP's PASSWORDS_LAB.
func isSecret(name string) bool {
	name = strings.ToUpper(name)
	for _, word := range []string{"PASSWORD", "PASSWD", "SECRET"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// exposed tells of secrets in a file that others than root can read, and that others can change
// the file. These are no mistakes in the file: every setting takes effect.
func exposed(path string, sections []section) []Problem {
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil // it has just been read; if it is gone now, so is what is wrong
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil
	}
	var warnings []Problem
	if secret := firstSecret(sections); secret != nil && info.Mode()&0o044 != 0 && isReachable(file) {
		warnings = append(warnings, Problem{File: path, Line: secret.line, Text: fmt.Sprintf(
			"%s is a secret and others can read it (mode %04o); type: chmod 600 %s", secret.name, info.Mode().Perm(), file)})
	}
	for at := file; ; at = filepath.Dir(at) {
		if why := changeable(at); why != "" {
			warnings = append(warnings, Problem{File: path, Text: fmt.Sprintf("others than root can change it: %s %s", at, why)})
			break
		}
		if at == filepath.Dir(at) {
			break
		}
	}
	return warnings
}

func firstSecret(sections []section) *assignment {
	for i := range sections {
		for j := range sections[i].assignments {
			if a := &sections[i].assignments[j]; isSecret(a.name) && a.value != "" {
				return a
			}
		}
	}
	return nil
}

// isReachable tells whether others can pass all folders on the way to a file.
func isReachable(file string) bool {
	for at := filepath.Dir(file); ; at = filepath.Dir(at) {
		if info, err := os.Stat(at); err == nil && info.Mode()&0o011 == 0 {
			return false
		}
		if at == filepath.Dir(at) {
			return true
		}
	}
}

// changeable says why others than root can change a file, or what is in a folder; empty if they
// cannot. In a sticky folder they can change what is theirs.
func changeable(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && stat.Uid != 0:
		return fmt.Sprintf("belongs to the user number %d", stat.Uid)
	case info.Mode()&0o022 != 0 && !(info.IsDir() && info.Mode()&fs.ModeSticky != 0):
		return fmt.Sprintf("has mode %04o", info.Mode().Perm())
	}
	return ""
}
