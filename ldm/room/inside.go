package room

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

const (
	readyFD   = 3
	readyWord = "ready"

	awaitLimit = 5 * time.Second
	look       = 10 * time.Millisecond // between two looks at what nothing announces
)

// hurry spares a process that is there to become another one the threads that it
// would have for work: a quarter of the time until then. It is not for the program.
const (
	hurryName = "GOMAXPROCS"
	hurry     = hurryName + "=1"
)

// plan is what the first process makes of the namespaces that it was born into.
type plan struct {
	User     privs.User
	Parent   int
	Own      []Device
	Displays string
	Self     []string
}

// entry is what a process that enters a room becomes there.
type entry struct {
	User      privs.User
	Parent    int
	Room      int // descriptor of the room's first process
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
	if len(args) == 1 && args[0] == "hold" {
		return hold()
	}
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

// make furnishes the room, gives up root and goes on as its holder.
func (p *plan) make() error {
	umask := unix.Umask(0o022)
	if err := furnish(p.User, p.Own, p.Displays); err != nil {
		return err
	}
	unix.Umask(umask)
	// Not the program's name: whoever is in the room could have put another
	// there by now. /proc is the room's.
	return privs.Exec(p.User, p.Parent, slices.Concat(p.Self, []string{"hold"}))
}

// hold is the first process of a room: it reaps, and on TERM ends the room.
func hold() error {
	signal.Ignore(unix.SIGCHLD) // orphans reap themselves: sigaction(2), SA_NOCLDWAIT
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	ready := os.NewFile(readyFD, "ready")
	if _, err := ready.WriteString(readyWord); err != nil {
		return err
	}
	ready.Close()
	<-end
	unix.Kill(-1, unix.SIGTERM) // all but this one: kill(2)
	for deadline := time.Now().Add(programGrace); time.Now().Before(deadline); time.Sleep(look) {
		if errors.Is(unix.Kill(-1, 0), unix.ESRCH) {
			break
		}
	}
	return nil
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
func (e *entry) become() error {
	runtime.LockOSThread() // which is the one that execs
	// setns(2): a mount namespace is joined only by who shares no working directory.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Setns(e.Room, unix.CLONE_NEWNS|unix.CLONE_NEWIPC); err != nil {
		return fmt.Errorf("enter the room: %w", err)
	}
	unix.Close(e.Room)
	if e.Listeners > 0 {
		os.Setenv("LISTEN_FDS", strconv.Itoa(e.Listeners))
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	program, err := exec.LookPath(e.args[0])
	if err != nil {
		return err
	}
	if e.Folder != "" {
		if err := makeOwned(e.Folder, e.User); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if e.Realtime {
		if err := allowRealtime(); err != nil {
			return err
		}
	}
	if e.Bounded {
		if err := makeBounded(); err != nil {
			return err
		}
	}
	await(e.After)
	os.Unsetenv(hurryName)
	if e.Umask != 0 {
		unix.Umask(e.Umask)
	}
	return privs.ExecIn(e.User, e.Parent, e.Dirs, append([]string{program}, e.args[1:]...))
}

// await waits for paths, but not for ever: the program knows better what is
// wrong when they do not come.
func await(paths []string) {
	deadline := time.Now().Add(awaitLimit)
	missing := func(path string) bool {
		_, err := os.Lstat(path) // no link of the user's is followed
		return err != nil
	}
	for slices.ContainsFunc(paths, missing) && time.Now().Before(deadline) {
		time.Sleep(look)
	}
}
