package room

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
)

// The descriptors that the first process inherits, and what goes through them.
const (
	reportFD = 3
	orderFD  = 4

	stagedWord = "staged" // to ldm: the stage is there
	goOnWord   = "go on"  // from ldm: it has hold of the stage
	readyWord  = "ready!" // to ldm: programs can come
)

// plan is what the first process makes of the namespaces that it was born into.
type plan struct {
	User   privs.User
	Parent int
	Self   []string

	Folder   string
	Stage    string // where the stage has its folder
	Homes    []string
	Extra    []string
	Hidden   []string
	Displays string
}

// make makes the stage of the namespace that it was born into, and the room of a copy.
// Then it goes on as the room's holder.
func (p *plan) make() error {
	runtime.LockOSThread() // the room is this thread's alone, until it execs
	unix.Umask(0o022)
	if err := p.setStage(); err != nil {
		return err
	}
	if err := say(stagedWord); err != nil {
		return err
	}
	word := make([]byte, len(goOnWord))
	if n, err := unix.Read(orderFD, word); err != nil || string(word[:n]) != goOnWord {
		return fmt.Errorf("ldm said %q: %w", word[:max(n, 0)], errors.Join(err, os.ErrInvalid))
	}
	unix.Close(orderFD)
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := p.furnish(); err != nil {
		return err
	}
	if err := privs.Seal(); err != nil {
		return err
	}
	words, err := json.Marshal(p)
	if err != nil {
		return err
	}
	// Still as root: the holder never is a process of the user's that can be read or traced.
	// Its threads all come from this one, and have no_new_privs from it.
	hold := slices.Concat(p.Self, []string{"hold", string(words)})
	return fmt.Errorf("run %s: %w", hold[0], unix.Exec(hold[0], hold, os.Environ()))
}

// hold is the first process of a room: it reaps, and on TERM ends the room.
func (p *plan) hold() error {
	signal.Ignore(unix.SIGCHLD) // orphans reap themselves: sigaction(2), SA_NOCLDWAIT
	end := make(chan os.Signal, 1)
	signal.Notify(end, unix.SIGTERM)
	runtime.LockOSThread()
	if err := errors.Join(privs.Become(p.User), privs.DieWith(p.Parent)); err != nil {
		return err
	}
	if err := say(readyWord); err != nil {
		return err
	}
	unix.Close(reportFD)
	<-end
	unix.Kill(-1, unix.SIGTERM) // all but this one: kill(2)
	for deadline := time.Now().Add(programGrace); time.Now().Before(deadline); time.Sleep(look) {
		if errors.Is(unix.Kill(-1, 0), unix.ESRCH) {
			break
		}
	}
	return nil
}

func say(word string) error {
	if _, err := unix.Write(reportFD, []byte(word)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
