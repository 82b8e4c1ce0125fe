package ldm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"time"

	"goldm/ldm/localuser"
	"goldm/ldm/login"
	"goldm/ldm/room"
	"goldm/ldm/sound"
	"goldm/ldm/wire"
)

// localLimit is how long a session waits for the client to be ready for it; then
// it starts with what there is.
const localLimit = 2 * time.Second

// local is what a login's session has on this client.
type local struct {
	user  *localuser.User
	room  *room.Room
	out   *output // the room's
	sound *sound.Sound
}

// startLocal makes the client ready for the session of a login.
func (s *Seat) startLocal(a login.StartLocal) {
	log := s.Log
	if w := s.workers[a.Login]; w != nil {
		log = w.log
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.locals[a.Login] = cancel
	s.tasks.Go(func() {
		defer cancel()
		l, err := s.openLocal(ctx, a.User, log)
		if err != nil {
			log.Warn("the session has no sound", "cause", err)
		}
		s.post(login.LocalUp{Login: a.Login, Sound: l.offer()}, nil)
		if err == nil {
			<-ctx.Done()
		}
		if err := l.close(); err != nil {
			log.Error("something of the session is left on this client", "cause", err)
		}
		<-ctx.Done()
		s.post(login.LocalGone{Login: a.Login}, func() { delete(s.locals, a.Login) })
	})
}

func (s *Seat) stopLocal(id login.LoginID) {
	if stop := s.locals[id]; stop != nil {
		stop()
	}
}

// openLocal returns as much as could be had. A session starts with less, too.
func (s *Seat) openLocal(ctx context.Context, name string, log *slog.Logger) (*local, error) {
	ctx, cancel := context.WithTimeout(ctx, localLimit)
	defer cancel()
	l := new(local)
	if !s.Settings.Sound {
		return l, nil
	}
	daemon, err := sound.Choose(s.Settings.SoundDaemon)
	if err != nil {
		return l, err
	}
	if l.user, err = localuser.Allot(ctx, s.localUsers(), name); err != nil {
		return l, err
	}
	log.Info("local user", "uid", l.user.UID, "name", l.user.Name)
	if err := s.openRoom(ctx, l, log); err != nil {
		return l, err
	}
	return l, s.startSound(l, daemon, log)
}

func (s *Seat) localUsers() localuser.Config {
	return localuser.Config{Range: s.Settings.UIDs, RunDir: s.RunDir, Folders: s.dir, Records: localuser.RecordDir}
}

func (s *Seat) openRoom(ctx context.Context, l *local, log *slog.Logger) error {
	var devices []room.Device
	if !s.Settings.Mic {
		var err error
		if devices, err = room.Playback(); err != nil {
			return err
		}
	}
	out, file, err := newOutput(log.With("process", "room"))
	if err != nil {
		return err
	}
	defer file.Close()
	l.out = out
	l.room, err = room.Open(ctx, room.Config{
		User: l.user.User, Own: devices, Self: s.Room, Group: s.children, Log: log, Output: file,
	})
	return err
}

func (s *Seat) startSound(l *local, daemon *sound.Daemon, log *slog.Logger) error {
	groups, err := s.soundGroups()
	if err != nil {
		return err
	}
	l.sound, err = sound.Start(sound.Config{
		Daemon: daemon, Volume: s.Settings.Volume,
		Room: l.room, User: l.user.User, Peer: s.Users.Session, Dir: l.user.Dir,
		Groups: groups, Realtime: room.MayRaise(),
		Output: func(process string) (*os.File, func(), error) {
			out, file, err := newOutput(log.With("process", process))
			if err != nil {
				return nil, nil, err
			}
			return file, out.close, nil
		},
		Log: log,
	})
	if err == nil {
		log.Info("sound", "daemon", daemon.String(), "volume", s.Settings.Volume, "mic", s.Settings.Mic)
	}
	return err
}

// soundGroups returns the groups that open the machine's sound cards. Without a
// microphone there are none: then the room has devices of its own.
func (s *Seat) soundGroups() ([]int, error) {
	if !s.Settings.Mic {
		return nil, nil
	}
	group, err := user.LookupGroup("audio")
	if _, ok := errors.AsType[user.UnknownGroupError](err); ok {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(group.Gid)
	if err != nil {
		return nil, fmt.Errorf("group audio: %w", err)
	}
	return []int{gid}, nil
}

// offer is what the worker is told.
func (l *local) offer() *wire.Sound {
	if l.sound == nil {
		return nil
	}
	return &wire.Sound{Socket: l.sound.Socket, Cookie: l.sound.Cookie}
}

// close ends and removes everything, in the order that needs it.
func (l *local) close() error {
	if l.sound != nil {
		l.sound.Stop()
	}
	if l.room != nil {
		l.room.Close()
	}
	if l.out != nil {
		l.out.close()
	}
	if l.user != nil {
		return l.user.Release()
	}
	return nil
}
