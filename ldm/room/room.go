package room

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/cgroup"
	"goldm/internal/logs"
	"goldm/internal/privs"
	"goldm/internal/supervise"
)

const (
	programGrace = 3 * time.Second              // from TERM to KILL for the programs
	holderGrace  = programGrace + time.Second/2 // and for the first process, which sees to that

	firstFD = 3 // that a child inherits beside the standard ones
)

// Config says whose room it is.
type Config struct {
	User privs.User // whom all of the room's programs run as

	// Folder is the login's folder on this machine: root's own, passable for all. The room
	// has it at the same path, read-only.
	Folder string

	Homes    []string // folders that homes are mounted in; empty at first
	Extra    []string // further folders that may be mounted
	Hidden   []string // files of the machine that programs must not read
	Displays string   // folder with sockets of X servers, for /tmp/.X11-unix; empty for none
	PlayOnly bool     // no device of the room records a sound or a picture

	Cgroup *cgroup.Login    // of all that runs in the room; nil for none
	Self   []string         // this program's command that calls Main with the words after it
	Group  *supervise.Group // owner of the first process
	Log    *slog.Logger
	Output *os.File // of the first process, should it have something to say
}

// Room is a room that is open.
type Room struct {
	config   Config
	holder   *supervise.Process
	programs *supervise.Group
	devices  *mirror

	// The namespaces: root's own, and those that programs are in. They were opened
	// before the first program ran, so no process of the user's stands for them.
	stage, mounts, ipc *os.File
}

// Open makes a room.
func Open(ctx context.Context, c Config) (*Room, error) {
	reports, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reports.Close()
	orders, order, err := os.Pipe()
	if err != nil {
		report.Close()
		return nil, err
	}
	defer order.Close()
	words, err := json.Marshal(c.plan())
	if err != nil {
		report.Close()
		orders.Close()
		return nil, err
	}
	holder, err := c.Cgroup.Start(c.Group, supervise.Command{
		Name: "room", Log: c.Log,
		Args: slices.Concat(c.Self, []string{"make", string(words)}),
		Env:  []string{"LANG=C.UTF-8", logs.Child}, Dir: "/",
		Files:      []*os.File{report, orders}, // reportFD, orderFD
		Namespaces: unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWNS,
		Stdout:     c.Output, Stderr: c.Output,
	}, cgroup.Service)
	if err != nil {
		return nil, err
	}
	room := &Room{config: c, holder: holder}
	defer context.AfterFunc(ctx, func() { reports.SetReadDeadline(time.Now()) })()
	if err := room.furnish(reports, order); err != nil {
		holder.Kill()
		room.release()
		return nil, fmt.Errorf("room: %w", cmp.Or(ctx.Err(), err))
	}
	return room, nil
}

func (c *Config) plan() plan {
	// A further folder that is, or holds, a folder of homes would hide the homes.
	hides := func(extra string) bool {
		return slices.ContainsFunc(c.Homes, func(home string) bool { return home == extra || strings.HasPrefix(home, extra+"/") })
	}
	return plan{
		User: c.User, Parent: os.Getpid(), Self: c.Self, Folder: c.Folder, Stage: c.stage(),
		Homes: c.Homes, Extra: slices.DeleteFunc(slices.Clone(c.Extra), hides), Hidden: c.Hidden, Displays: c.Displays,
	}
}

// stage is where the stage has its folder. Outside of the stage there is nothing in it.
func (c *Config) stage() string { return filepath.Join(c.Folder, "stage") }

// furnish sees the first process through its work: the stage first, then, with the
// devices in it, the room. Then it takes hold of what others enter by.
func (r *Room) furnish(reports, order *os.File) (err error) {
	if err := r.expect(reports, stagedWord); err != nil {
		return err
	}
	if r.stage, err = r.namespace("mnt"); err != nil {
		return err
	}
	folder, err := os.Open(fmt.Sprintf("/proc/%d/root%s", r.holder.Pid(), filepath.Join(r.config.stage(), devFolder)))
	if err != nil {
		return err
	}
	r.devices = newMirror(folder, r.config.User, r.config.PlayOnly, r.config.Log)
	if _, err := order.WriteString(goOnWord); err != nil {
		return err
	}
	if err := r.expect(reports, readyWord); err != nil {
		return err
	}
	if r.mounts, err = r.namespace("mnt"); err != nil {
		return err
	}
	if r.ipc, err = r.namespace("ipc"); err != nil {
		return err
	}
	pids, err := r.namespace("pid")
	if err != nil {
		return err
	}
	defer pids.Close()
	r.programs, err = supervise.NewGroupBeside(r.config.Log, pids)
	return err
}

// expect reads a word of the first process.
func (r *Room) expect(reports *os.File, word string) error {
	got := make([]byte, len(word))
	n, err := io.ReadFull(reports, got)
	if err != nil || !bytes.Equal(got, []byte(word)) {
		reports.SetReadDeadline(time.Now().Add(time.Second))
		more, _ := io.ReadAll(io.LimitReader(reports, maxReason))
		return fmt.Errorf("its first process said %q in place of %q: %w", append(got[:n], more...), word, errors.Join(err, os.ErrInvalid))
	}
	return nil
}

// namespace opens a namespace of the first process: namespaces(7). It is no program's
// yet.
func (r *Room) namespace(kind string) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/%d/ns/%s", r.holder.Pid(), kind))
}

// Runtime is the folder for XDG_RUNTIME_DIR, which is empty at first. It exists
// in the room alone.
func (r *Room) Runtime() string { return runtimeDir(r.config.User) }

// Namespaces returns files of the caller's, for Join: the stage, in which root may mount
// on the paths that Point gives, and the mounts that programs see.
func (r *Room) Namespaces() (stage, mounts *os.File, err error) {
	files, err := duplicates(r.stage, r.mounts)
	if err != nil {
		return nil, nil, err
	}
	return files[0], files[1], nil
}

// Point returns where something is to be mounted in the stage, so that it appears at a
// path of the room: one below a folder of homes, or one of the further folders.
func (r *Room) Point(path string) (string, bool) {
	return r.config.plan().point(path)
}

// Close ends all that runs in the room, with TERM and after three seconds with
// KILL. The error names what is left after that, because it waits in the kernel.
func (r *Room) Close() error {
	defer r.release()
	var aborted error
	if !r.holder.Terminate(holderGrace) {
		// A program may wait for a file system of its own, or for a home that hangs.
		aborted = abortFUSE(r.config.User.UID)
	}
	var ends sync.WaitGroup
	ends.Go(r.holder.Kill)
	ends.Go(func() { r.programs.Close(0) })
	ends.Wait()
	if err := r.left(); err != nil {
		return errors.Join(err, aborted)
	}
	return nil
}

// left names the room's processes that are there although they were killed.
func (r *Room) left() error {
	if _, stuck := errors.AsType[*supervise.StuckError](r.holder.Err()); !stuck {
		return nil
	}
	var names []string
	for _, p := range processesOf(r.config.User.UID) {
		names = append(names, p.String())
	}
	return fmt.Errorf("the local user %d still has processes that cannot be killed: %s", r.config.User.UID, strings.Join(names, ", "))
}

func (r *Room) release() {
	if r.devices != nil {
		r.devices.close()
	}
	for _, f := range []*os.File{r.stage, r.mounts, r.ipc} {
		if f != nil {
			f.Close()
		}
	}
}

func runtimeDir(u privs.User) string { return "/run/user/" + strconv.Itoa(u.UID) }
