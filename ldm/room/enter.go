package room

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

const (
	awaitLimit = 5 * time.Second
	look       = 10 * time.Millisecond // between two looks at what nothing announces
)

// hurry spares a process that is there to become another one the threads that it
// would have for work: a quarter of the time until then. It is not for the program.
const (
	hurryName = "GOMAXPROCS"
	hurry     = hurryName + "=1"
)

// entry is what a process that enters a room becomes there.
type entry struct {
	User      privs.User
	Parent    int
	Mounts    int // descriptors of the room's namespaces
	IPC       int
	Listeners int // descriptors from 3 on
	Report    int // descriptor that takes why there is no program; 0 for none
	Bounded   bool
	Umask     int
	Realtime  bool
	Folder    string
	Dirs      []string
	After     []string

	args []string // in words of their own: one word of a command has its limit, execve(2)
}

// Main is the other end of Config.Self: it takes the words that were put after
// it. It returns with an error, or when the room is empty.
func Main(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("room: %d words", len(args))
	}
	switch args[0] {
	case "make":
		var p plan
		if err := json.Unmarshal([]byte(args[1]), &p); err != nil {
			return err
		}
		return p.make()
	case "hold":
		var p plan
		if err := json.Unmarshal([]byte(args[1]), &p); err != nil {
			return err
		}
		return p.hold()
	case "enter":
		var e entry
		if err := json.Unmarshal([]byte(args[1]), &e); err != nil {
			return err
		}
		if e.args = args[2:]; len(e.args) == 0 {
			return errors.New("room: no program")
		}
		return e.enter()
	}
	return fmt.Errorf("room: %q", args[0])
}

// enter becomes the program, or says why not.
func (e *entry) enter() error {
	if e.Report > 0 {
		unix.CloseOnExec(e.Report)
	}
	err := e.become()
	if e.Report > 0 {
		unix.Write(e.Report, []byte(err.Error()))
	}
	return err
}

// become joins the room, gives up root and becomes the program. It returns only
// with an error.
//
// What needs root comes first, outside. Between joining and giving up root there is
// nothing: in there a program of the user may have put what it likes under any path.
func (e *entry) become() error {
	runtime.LockOSThread() // which is the one that execs
	if err := e.limit(); err != nil {
		return err
	}
	if err := Join(e.Mounts, e.IPC); err != nil {
		return err
	}
	if err := errors.Join(privs.Seal(), privs.Become(e.User)); err != nil {
		return err
	}
	return e.settle()
}

// limit does what is root's to do for the program.
func (e *entry) limit() error {
	if e.Realtime {
		if err := allowRealtime(); err != nil {
			return err
		}
	}
	if e.Bounded {
		return makeBounded()
	}
	return nil
}

// settle is all that happens in the room, as the user: whatever is in the way there hurts
// nobody else.
func (e *entry) settle() error {
	if e.Listeners > 0 {
		os.Setenv("LISTEN_FDS", strconv.Itoa(e.Listeners))
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	program, err := exec.LookPath(e.args[0])
	if err != nil {
		return err
	}
	if e.Folder != "" {
		if err := os.Mkdir(e.Folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	await(e.After)
	os.Unsetenv(hurryName)
	if e.Umask != 0 {
		unix.Umask(e.Umask)
	}
	return privs.Replace(e.Parent, e.Dirs, append([]string{program}, e.args[1:]...))
}

// Join makes namespaces those of the calling thread, by their files. The goroutine has to
// be locked to its thread, which is to become another program.
func Join(namespaces ...int) error {
	// setns(2): a mount namespace is joined only by a thread that shares no working directory.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	for _, fd := range namespaces {
		if err := unix.Setns(fd, 0); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		unix.Close(fd)
	}
	return nil
}

// await waits for paths, but not for ever: the program knows better what is
// wrong when they do not come.
func await(paths []string) {
	deadline := time.Now().Add(awaitLimit)
	missing := func(path string) bool {
		_, err := os.Lstat(path)
		return err != nil
	}
	for slices.ContainsFunc(paths, missing) && time.Now().Before(deadline) {
		time.Sleep(look)
	}
}
