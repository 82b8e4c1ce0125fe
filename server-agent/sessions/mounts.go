package sessions

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// unmountLimit bounds what it may take to unmount a file system.
const unmountLimit = 5 * time.Second

// remove removes a folder with all that is in it, but never what is mounted there:
// that is somewhere else. File systems of the session's own programs (FUSE), such as
// gvfs's, are unmounted; they stay where their program was killed.
func remove(path string) error {
	mounts, err := mountsBelow(path)
	if err != nil {
		return err
	}
	for _, mount := range slices.Backward(mounts) {
		unmount(mount)
	}
	if len(mounts) > 0 {
		if mounts, err = mountsBelow(path); err != nil {
			return err
		}
	}
	if len(mounts) > 0 {
		return fmt.Errorf("%s stays: %s is mounted", path, mounts[0])
	}
	return os.RemoveAll(path)
}

// unmount asks FUSE's helper, which may unmount what this user has mounted.
func unmount(path string) {
	ctx, cancel := context.WithTimeout(context.Background(), unmountLimit)
	defer cancel()
	for _, helper := range []string{"fusermount3", "fusermount"} {
		if exec.CommandContext(ctx, helper, "-u", "-z", "-q", "--", path).Run() == nil {
			return
		}
	}
}

// mountsBelow returns the mount points below a folder, those of others behind those that they lie
// in.
func mountsBelow(path string) ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if point := mountPoint(lines.Text()); strings.HasPrefix(point, path+"/") || point == path {
			found = append(found, point)
		}
	}
	return found, lines.Err()
}

// escaped are the characters that mountinfo has in octal.
var escaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\043`, "#", `\134`, `\`)

// mountPoint returns the mount point in a line of mountinfo: the fifth field of
// proc_pid_mountinfo(5).
func mountPoint(line string) string {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return ""
	}
	return escaped.Replace(fields[4])
}
