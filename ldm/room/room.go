package room

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/logs"
	"goldm/internal/privs"
	"goldm/internal/supervise"
)

const (
	programGrace = 3 * time.Second            // from TERM to KILL for the programs
	holderGrace  = programGrace + time.Second // and for the first process, which sees to that

	firstFD   = 3       // that a child inherits beside the standard ones
	maxReason = 1 << 10 // bytes of why a program does not run
)

// Config says whose room it is.
type Config struct {
	User privs.User // whom all of the room's programs run as

	// Own are the devices of the room's /dev/snd, in place of the machine's;
	// nil for the machine's.
	Own []Device

	Self   []string         // this program's command that calls Main with the words after it
	Group  *supervise.Group // owner of the first process
	Log    *slog.Logger
	Output *os.File // of the first process, should it have something to say
}

// Room is a room that is open.
type Room struct {
	config   Config
	holder   *supervise.Process
	pidfd    *os.File
	programs *supervise.Group
}

// Open makes a room.
func Open(ctx context.Context, c Config) (*Room, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	words, err := json.Marshal(plan{User: c.User, Parent: os.Getpid(), Own: c.Own, Self: c.Self})
	if err != nil {
		w.Close()
		return nil, err
	}
	holder, err := c.Group.Start(supervise.Command{
		Name: "room", Log: c.Log,
		Args: slices.Concat(c.Self, []string{"make", string(words)}),
		Env:  []string{"LANG=C.UTF-8", logs.Child}, Dir: "/",
		Files:      []*os.File{w},
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWNS,
		Stdout:     c.Output, Stderr: c.Output,
	})
	if err != nil {
		return nil, err
	}
	room := &Room{config: c, holder: holder}
	if err := room.furnish(ctx, r); err != nil {
		holder.Stop(0)
		return nil, fmt.Errorf("room: %w", err)
	}
	return room, nil
}

// furnish waits until the first process has mounted everything and prepares
// for others to enter.
func (r *Room) furnish(ctx context.Context, ready *os.File) error {
	defer context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Now()) })()
	word, err := io.ReadAll(io.LimitReader(ready, int64(len(readyWord))))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || !bytes.Equal(word, []byte(readyWord)) {
		return fmt.Errorf("its first process said %q: %w", word, r.holder.Err())
	}
	if r.pidfd, err = r.holder.Pidfd(); err != nil {
		return err
	}
	if r.programs, err = supervise.NewGroupBeside(r.config.Log, r.pidfd); err != nil {
		r.pidfd.Close()
	}
	return err
}

// Runtime is the folder for XDG_RUNTIME_DIR, which is empty at first. It exists
// in the room alone.
func (r *Room) Runtime() string { return runtimeDir(r.config.User) }

// Pidfd returns a file of the caller's that stands for the room's first process,
// for setns(2).
func (r *Room) Pidfd() (*os.File, error) { return duplicate(r.pidfd) }

// Command says what to run in a room.
type Command struct {
	Name string // for the log
	Log  *slog.Logger
	Args []string // Args[0] is the program, a path or a name on PATH
	Env  []string // the whole environment

	Groups   []int    // supplementary groups
	Network  bool     // whether it sees the machine's network; else there is none
	Leaves   bool     // what it has started lives on when it ends, as long as the room
	Bounded  bool     // it may not take all of the machine's processes and memory
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
	process.Stop(0)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	return nil, fmt.Errorf("start %s: %s", c.Name, reason)
}

func (r *Room) start(c Command, report *os.File) (*supervise.Process, error) {
	files, err := duplicates(c.Listener, r.pidfd, report)
	if err != nil {
		return nil, err
	}
	user := r.config.User
	user.Groups = c.Groups
	e := entry{
		User: user, Parent: os.Getpid(), Room: firstFD,
		Bounded: c.Bounded, Umask: c.Umask, Realtime: c.Realtime, Folder: c.Folder, Dirs: c.Dirs, After: c.After,
	}
	if c.Listener != nil {
		e.Listeners, e.Room = 1, firstFD+1
	}
	if report != nil {
		e.Report = e.Room + 1
	}
	words, err := json.Marshal(e)
	if err != nil {
		closeAll(files)
		return nil, err
	}
	var namespaces uintptr
	if !c.Network {
		namespaces = unix.CLONE_NEWNET
	}
	return r.programs.Start(supervise.Command{
		Name: c.Name, Log: c.Log,
		Args: slices.Concat(r.config.Self, []string{"enter", string(words)}, c.Args),
		Env:  append([]string{hurry}, c.Env...), Dir: "/", Files: files, Leaves: c.Leaves, Namespaces: namespaces,
		Stdout: c.Output, Stderr: c.Output,
	})
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

// Close ends all that runs in the room, with TERM and after three seconds with
// KILL, and returns when nothing of it is left.
func (r *Room) Close() {
	r.holder.Stop(holderGrace)
	r.programs.Close(0)
	r.pidfd.Close()
}

func runtimeDir(u privs.User) string { return "/run/user/" + strconv.Itoa(u.UID) }
