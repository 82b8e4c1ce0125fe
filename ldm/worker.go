package ldm

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"goldm/internal/logs"
	"goldm/internal/pulse"
	"goldm/internal/supervise"
	"goldm/ldm/fence"
	"goldm/ldm/login"
	"goldm/ldm/wire"
)

// worker is the process of one login and its session.
type worker struct {
	id    string // of the login, in the log
	log   *slog.Logger
	conn  *wire.Conn // nil where the worker could not be started
	close sync.Once
	homes homes // that it was asked for
	pulse pulse.Asker
}

// tell sends a message, or stops a worker that does not take it.
func (w *worker) tell(m wire.Message) {
	if w.conn == nil {
		return
	}
	switch err := w.conn.Send(m); {
	case err == nil, errors.Is(err, net.ErrClosed): // it was stopped
	default:
		w.log.Error("the worker does not listen", "cause", err)
		w.stop()
	}
}

// stop closes the worker's socket, which ends the login or the session; the one
// who receives from it sees to the rest.
func (w *worker) stop() {
	if w.conn != nil {
		w.close.Do(func() { w.conn.Close() })
	}
}

// startWorker starts the worker of a login.
func (s *Seat) startWorker(a login.StartWorker) {
	// The log's name for this login; a seat's numbers begin anew with ldm.
	id := rand.Text()[:8]
	w := &worker{id: id, log: s.Log.With("login", id)}
	s.workers[a.Login] = w
	w.log.Info("login", "user", a.User)
	gone := func(err error) {
		s.post(login.WorkerGone{Login: a.Login, Err: err}, func() { delete(s.workers, a.Login) })
	}
	process, out, err := s.launchWorker(w)
	if err != nil {
		s.tasks.Go(func() { gone(err) })
		return
	}
	s.tasks.Go(func() {
		endPings := s.pingWorker(w)
		s.receive(a.Login, w)
		w.stop()
		err := stopChild(process, endPings())
		out.close()
		gone(err)
	})
	w.tell(s.loginMessage(id, a))
}

func (s *Seat) launchWorker(w *worker) (*supervise.Process, *output, error) {
	conn, theirs, err := wire.Pair()
	if err != nil {
		return nil, nil, err
	}
	plan := fence.Plan{Duty: fence.Worker, User: s.Users.Session, Read: s.Settings.KnownHosts}
	process, out, err := s.launch(plan, w.log, theirs)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	w.conn = conn
	return process, out, nil
}

// launch starts ldm-session for a plan's duty, with its end of a socketpair, which is
// closed here in any case.
func (s *Seat) launch(plan fence.Plan, log *slog.Logger, theirs *os.File) (*supervise.Process, *output, error) {
	duty := string(plan.Duty)
	out, file, err := newFramedOutput(log.With("process", duty))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	defer file.Close()
	process, err := s.start(plan, supervise.Command{
		Name: duty, Log: log,
		Args:       []string{s.Worker, duty},
		Env:        []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", logs.Child},
		Dir:        "/",
		Files:      []*os.File{theirs},
		Namespaces: unix.CLONE_NEWIPC,
		Stdout:     file, Stderr: file,
	})
	if err != nil {
		out.close()
		return nil, nil, err
	}
	return process, out, nil
}

// receive passes a worker's messages on until it has no more.
func (s *Seat) receive(id login.LoginID, w *worker) {
	for {
		m, err := w.conn.Receive()
		if err != nil {
			w.log.Debug("the worker's socket ended", "cause", err)
			return
		}
		if home, ok := m.(*wire.Home); ok { // with files: it goes no long way
			w.homes.answer(home)
			continue
		}
		if pong, ok := m.(*wire.Pong); ok && w.pulse.Answer(pong.ID) {
			continue
		}
		s.post(login.FromWorker{Login: id, Message: m}, nil)
	}
}

// loginMessage tells a worker what to do.
func (s *Seat) loginMessage(id string, a login.StartWorker) *wire.Login {
	m := &wire.Login{
		ID: id, User: a.User, Servers: a.Servers, Known: a.Known, Found: a.Found,
		KnownHosts: s.Settings.KnownHosts,
		X11:        s.Settings.X11,
		XSession:   s.Settings.XSession,
		OneSession: a.OneSession,
		Env: map[string]string{
			"LTSP_CLIENT_HOSTNAME": s.Client.Hostname,
			"LDM_USERNAME":         a.User,
		},
	}
	if len(s.Client.Addresses) > 0 {
		m.Env["LTSP_CLIENT"] = s.Client.Addresses[0]
	}
	if len(s.Client.MACs) > 0 {
		m.Env["LTSP_CLIENT_MAC"] = s.Client.MACs[0]
	}
	return m
}
