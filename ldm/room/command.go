package room

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/cgroup"
	"goldm/internal/supervise"
)

// maxReason bounds what a process of ours says about why there is no program, in bytes.
const maxReason = 1 << 10

// Command says what to run in a room.
type Command struct {
	Name string // for the log
	Log  *slog.Logger
	Args []string // Args[0] is the program, a path or a name on PATH
	Env  []string // the whole environment

	Groups   []int    // supplementary groups
	Network  bool     // whether it sees the machine's network; else there is none
	Leaves   bool     // what it has started lives on when it ends, as long as the room
	Bounded  bool     // a person's program: it may not take all of the machine's processes and memory
	Umask    int      // as umask(2); 0 for this process's own
	Realtime bool     // whether it may raise its own priority; see MayRaise
	Folder   string   // a folder of the user's to make, unless it is there
	Dirs     []string // working directories: the first that the user can enter, else /
	After    []string // paths to wait for, some seconds at most

	// Listener is handed over as a service manager does: sd_listen_fds(3).
	Listener *os.File

	Output *os.File
}

// Start starts a program in the room.
func (r *Room) Start(c Command) (*supervise.Process, error) { return r.start(c, nil) }

// Launch starts a program in the room and returns when it runs, or with the
// reason why it does not.
func (r *Room) Launch(ctx context.Context, c Command) (*supervise.Process, error) {
	reports, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reports.Close()
	process, err := r.start(c, report)
	report.Close()
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { reports.SetReadDeadline(time.Now()) })()
	reason, err := io.ReadAll(io.LimitReader(reports, maxReason)) // nothing: it is closed by execve(2)
	if err == nil && len(reason) == 0 {
		return process, nil
	}
	process.Kill()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return nil, fmt.Errorf("start %s: %s", c.Name, reason)
}

func (r *Room) start(c Command, report *os.File) (*supervise.Process, error) {
	r.devices.sync()
	files, err := duplicates(c.Listener, r.mounts, r.ipc, report)
	if err != nil {
		return nil, err
	}
	words, err := json.Marshal(r.entry(c, report != nil))
	if err != nil {
		closeAll(files)
		return nil, err
	}
	var namespaces uintptr
	if !c.Network {
		namespaces = unix.CLONE_NEWNET
	}
	return r.config.Cgroup.Start(r.programs, supervise.Command{
		Name: c.Name, Log: c.Log,
		Args: slices.Concat(r.config.Self, []string{"enter", string(words)}, c.Args),
		Env:  append([]string{hurry}, c.Env...), Dir: "/", Files: files, Leaves: c.Leaves, Namespaces: namespaces,
		Stdout: c.Output, Stderr: c.Output,
	}, cgroup.Kind(c.Bounded))
}

// entry numbers the descriptors in the order of start.
func (r *Room) entry(c Command, reports bool) entry {
	user := r.config.User
	user.Groups = c.Groups
	e := entry{
		User: user, Parent: os.Getpid(), Mounts: firstFD,
		Bounded: c.Bounded, Umask: c.Umask, Realtime: c.Realtime, Folder: c.Folder, Dirs: c.Dirs, After: c.After,
	}
	if c.Listener != nil {
		e.Listeners, e.Mounts = 1, firstFD+1
	}
	e.IPC = e.Mounts + 1
	if reports {
		e.Report = e.IPC + 1
	}
	return e
}

// duplicates copies those of the files that are not nil, for a child: supervise
// closes what it hands over.
func duplicates(files ...*os.File) ([]*os.File, error) {
	var copies []*os.File
	for _, f := range files {
		if f == nil {
			continue
		}
		c, err := duplicate(f)
		if err != nil {
			closeAll(copies)
			return nil, err
		}
		copies = append(copies, c)
	}
	return copies, nil
}

// duplicate copies a file, which another goroutine may be about to close.
func duplicate(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var failed error
	err = raw.Control(func(open uintptr) { fd, failed = unix.FcntlInt(open, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("dup: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
