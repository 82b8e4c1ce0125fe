package ldm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"sync"
	"time"

	"goldm/internal/cgroup"
	"goldm/ldm/apps"
	"goldm/ldm/localdisplay"
	"goldm/ldm/localuser"
	"goldm/ldm/login"
	"goldm/ldm/room"
	"goldm/ldm/sound"
	"goldm/ldm/wire"
)

// localLimit is how long a session waits for the client to be ready for it; then
// it starts with what there is.
const localLimit = 2 * time.Second

const (
	roomLimit = 15 * time.Second // how long a room may take: a program is worth more patience
	homeGrace = 3 * time.Second  // how long programs that end have their home
	maxTries  = 5                // to make a room: each takes a number, of which there are some thousand
)

// local is what a login's session has on this client. The user and the room are
// made for the sound, or for the first program.
type local struct {
	seat   *Seat
	name   string // of the login, as typed
	worker *worker
	log    *slog.Logger
	ctx    context.Context // ends with the session
	stop   context.CancelFunc

	cgroup *cgroup.Login // of all that runs on this client for the session
	sound  *sound.Sound
	apps   *apps.Apps
	said   *output  // what they say; nil where nobody wants to know
	saying *os.File // and its other end

	mu     sync.Mutex
	try    *try // the last to make the user and the room
	tries  int
	closed bool

	user *localuser.User
	room *room.Room
	out  *output // the room's

	x        wire.Screen           // the session's X server
	displays string                // the folder of the room's own displays
	display  *localdisplay.Display // of programs; nil until the first
}

// startLocal makes the client ready for the session of a login.
func (s *Seat) startLocal(a login.StartLocal) {
	l := &local{seat: s, name: a.User, worker: s.workers[a.Login], log: s.Log}
	if l.worker != nil {
		l.log = l.worker.log
	}
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.cgroup = s.loginCgroup(l)
	l.newApps(a.Language)
	s.locals[a.Login] = l
	s.tasks.Go(func() {
		defer l.stop()
		if err := l.startSound(); err != nil {
			l.log.Warn("the session has no sound", "cause", err)
		}
		s.post(login.LocalUp{Login: a.Login, Sound: l.offer()}, nil)
		<-l.ctx.Done()
		if err := l.close(); err != nil {
			l.log.Error("something of the session is left on this client", "cause", err)
		}
		s.post(login.LocalGone{Login: a.Login}, func() { delete(s.locals, a.Login) })
	})
}

func (s *Seat) stopLocal(id login.LoginID) {
	if l := s.locals[id]; l != nil {
		l.stop()
	}
}

// try is one try to make a user and a room.
type try struct {
	done chan struct{} // closed when err is known
	err  error
}

func (t *try) failed() bool {
	select {
	case <-t.done:
		return t.err != nil
	default:
		return false
	}
}

// open has the user and the room made, unless that was done, and waits for them
// or for ctx.
func (l *local) open(ctx context.Context) error {
	l.mu.Lock()
	t := l.try
	if (t == nil || t.failed() && l.tries < maxTries) && !l.closed {
		t = &try{done: make(chan struct{})}
		l.try = t
		l.tries++
		l.seat.tasks.Go(func() {
			defer close(t.done)
			t.err = l.makeRoom()
		})
	}
	l.mu.Unlock()
	if t == nil {
		return context.Canceled
	}
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// makeRoom makes both, or leaves neither.
func (l *local) makeRoom() error {
	ctx, cancel := context.WithTimeout(l.ctx, roomLimit)
	defer cancel()
	user, err := localuser.Allot(ctx, l.seat.localUsers(), l.name)
	if err != nil {
		return err
	}
	l.log.Info("local user", "uid", user.UID, "name", user.Name)
	out, file, err := newFramedOutput(l.log.With("process", "room"))
	if err != nil {
		return errors.Join(err, user.Release())
	}
	defer file.Close()
	displays, err := localdisplay.MakeFolder(user.Dir)
	if err != nil {
		out.close()
		return errors.Join(err, user.Release())
	}
	made, err := l.openRoom(ctx, user, displays, file)
	if err != nil {
		return errors.Join(because(err, out), user.Release())
	}
	l.user, l.room, l.out, l.displays = user, made, out, displays
	return nil
}

func (l *local) openRoom(ctx context.Context, user *localuser.User, displays string, output *os.File) (*room.Room, error) {
	s := l.seat
	return room.Open(ctx, room.Config{
		User: user.User, Folder: user.Dir, Homes: s.Settings.Apps.Homes, Extra: s.Settings.Apps.Mounts,
		Hidden: s.ConfigFiles, Displays: displays, PlayOnly: !s.Settings.Mic,
		Cgroup: l.cgroup, Self: s.Room, Group: s.children, Log: l.log, Output: output,
	})
}

func (s *Seat) localUsers() localuser.Config {
	return localuser.Config{Range: s.Settings.UIDs, RunDir: s.RunDir, Folders: s.dir, Records: localuser.RecordDir}
}

// startSound starts the sound daemon. A session starts without it, too.
func (l *local) startSound() error {
	s := l.seat
	if !s.Settings.Sound {
		return nil
	}
	daemon, err := sound.Choose(s.Settings.SoundDaemon)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, localLimit)
	defer cancel()
	if err := l.open(ctx); err != nil {
		return err
	}
	groups, err := s.groups("audio")
	if err != nil {
		return err
	}
	l.sound, err = sound.Start(sound.Config{
		Daemon: daemon, Volume: s.Settings.Volume,
		Room: l.room, User: l.user.User, Peer: s.Users.Session, Dir: l.user.Dir,
		Groups: groups, Realtime: room.MayRaise(),
		Output: l.logged,
		Log:    l.log,
	})
	if err == nil {
		l.log.Info("sound", "daemon", daemon.String(), "volume", s.Settings.Volume, "mic", s.Settings.Mic)
	}
	return err
}

// logged returns a file for what a process says, which the log has then, and what
// to call when the process has ended.
func (l *local) logged(process string) (*os.File, func(), error) {
	out, file, err := newOutput(l.log.With("process", process))
	if err != nil {
		return nil, nil, err
	}
	return file, out.close, nil
}

// groups returns the numbers of groups that open devices, those that this
// machine has. Without a microphone there are none: what records a picture or a
// sound is in them.
func (s *Seat) groups(names ...string) ([]int, error) {
	var gids []int
	if !s.Settings.Mic {
		return nil, nil
	}
	for _, name := range names {
		group, err := user.LookupGroup(name)
		if _, ok := errors.AsType[user.UnknownGroupError](err); ok {
			continue
		}
		if err != nil {
			return nil, err
		}
		gid, err := strconv.Atoi(group.Gid)
		if err != nil {
			return nil, fmt.Errorf("group %s: %w", name, err)
		}
		gids = append(gids, gid)
	}
	return gids, nil
}

// offer is what the worker is told.
func (l *local) offer() *wire.Sound {
	if l.sound == nil {
		return nil
	}
	return &wire.Sound{Socket: l.sound.Socket, Cookie: l.sound.Cookie}
}

// close ends and removes everything, in the order that needs it. The error names what is
// left, which keeps nobody from the next login.
func (l *local) close() error {
	l.apps.Stop()
	l.mu.Lock()
	l.closed = true
	t := l.try
	l.mu.Unlock()
	if t != nil {
		<-t.done
	}
	if l.sound != nil {
		l.sound.Stop()
	}
	var left error
	if l.room != nil {
		// As long as programs may save what they have; then a program that waits for a
		// server that hangs is better off without.
		late := time.AfterFunc(homeGrace, l.apps.CloseHome)
		left = l.room.Close()
		late.Stop()
	}
	l.apps.CloseHome() // in order, which KILL would not be
	left = errors.Join(left, l.cgroup.Close())
	l.apps.Wait()
	if l.display != nil {
		l.display.Close()
	}
	if l.said != nil {
		l.saying.Close()
		l.said.close()
	}
	if l.out != nil {
		l.out.close()
	}
	if l.user != nil {
		left = errors.Join(left, l.user.Release())
	}
	return left
}
