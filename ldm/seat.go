package ldm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"goldm/internal/cgroup"
	"goldm/internal/privs"
	"goldm/internal/pulse"
	"goldm/internal/supervise"
	"goldm/internal/via"
	"goldm/ldm/config"
	"goldm/ldm/localuser"
	"goldm/ldm/login"
	"goldm/ldm/wire"
	"goldm/ldm/xserver"
)

// Users are those that ldm runs programs as, apart so that none can read
// another's memory.
type Users struct{ Greeter, Session, Probe, Filter, X privs.User }

// LookupUsers finds the users that packaging has made.
func LookupUsers() (Users, error) {
	var u Users
	for name, to := range map[string]*privs.User{
		"_ldm-greeter": &u.Greeter, "_ldm-session": &u.Session, "_ldm-probe": &u.Probe,
		"_ldm-filter": &u.Filter, "_ldm-x": &u.X,
	} {
		var err error
		if *to, err = privs.Lookup(name); err != nil {
			return Users{}, fmt.Errorf("%w: create it as a system user", err)
		}
	}
	return u, nil
}

// Config is what a seat needs to know.
type Config struct {
	Name     string // such as "seat0"
	RunDir   string // such as "/run/ldm", made if need be
	Console  string // the text console, for what no greeter can show
	Settings *config.Settings
	Client   config.Client

	ConfigFiles []string // where Settings are from, with passwords maybe

	Users     Users
	Worker    string       // path of ldm-session
	Greeter   string       // path of our own greeter, which is confined; another is not
	Fence     []string     // this program's command that calls fence.Main
	Room      []string     // this program's command that calls room.Main
	Home      []string     // this program's command that calls home.Main
	Pulse     pulse.Limits // of the signs of life of our programs; zero for the defaults
	Keyboards string       // folder of the kernel's input devices; empty for the usual one
	Log       *slog.Logger
}

// Seat is a running seat.
type Seat struct {
	Config
	dir      string // RunDir/Name
	cgroups  *cgroup.Tree
	children *supervise.Group
	tasks    sync.WaitGroup
	events   chan event
	quit     chan struct{} // closed when the loop has ended

	screenSilent atomic.Bool // the X server answers nobody: some program holds it

	// What follows belongs to the loop.
	machine *login.Machine
	told    told
	ready   sync.Once
	x       *xserver.Server
	stopX   context.CancelFunc
	stopG   context.CancelFunc
	conns   map[login.ConnID]*conn
	workers map[login.LoginID]*worker
	locals  map[login.LoginID]*local

	stopProbe context.CancelFunc // nil while no probe runs
	stopKeys  context.CancelFunc // nil while no keyboard is read
}

// event is a login event together with what it changes in the seat.
type event struct {
	login.Event
	apply func() // run by the loop before the machine sees the event; may be nil
}

// Run runs a seat until ctx is done and everything that belongs to it is gone.
func Run(ctx context.Context, c Config) error {
	c.Pulse = c.Pulse.OrDefault()
	s := &Seat{
		Config:   c,
		cgroups:  cgroup.Open(c.Log), // before any child
		dir:      filepath.Join(c.RunDir, c.Name),
		children: supervise.NewGroup(c.Log),
		events:   make(chan event),
		quit:     make(chan struct{}),
		conns:    make(map[login.ConnID]*conn),
		workers:  make(map[login.LoginID]*worker),
		locals:   make(map[login.LoginID]*local),
	}
	s.machine = login.New(s.loginConfig())
	defer s.closeCgroups()
	defer s.children.Close(time.Second)
	if err := localuser.Sweep(s.localUsers()); err != nil {
		c.Log.Error("local users of an earlier run are left", "cause", err)
	}
	if err := s.makeDirs(); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	listener, err := listen(s.socket(), c.Users.Greeter)
	if err != nil {
		return err
	}
	s.tasks.Go(func() { s.accept(listener) })
	s.loop(ctx)
	close(s.quit)
	listener.Close()
	s.tasks.Wait()
	return nil
}

func (s *Seat) loginConfig() login.Config {
	set := s.Settings
	config := login.Config{
		Hostname: s.Client.Hostname, Servers: set.Servers, Discover: set.Discover,
		Session: set.Session, ForceSession: set.ForceSession,
		Language: set.Language, ForceLanguage: set.ForceLanguage,
		Users: set.Users, OneSession: set.OneSession(), Timeout: set.LoginTimeout, LogoutActions: set.LogoutActions,
	}
	if set.Autologin {
		config.Automatic = &login.Account{User: set.Username, Password: set.Password}
	}
	if set.Guest {
		config.Guest = &login.Account{User: set.Username, Password: set.Password, Servers: set.GuestServers}
	}
	if set.Apps.On {
		config.Apps = &wire.Apps{Menu: set.Apps.Menu, Items: set.Apps.MenuItems, URLs: set.Apps.URLs, Allowed: set.Apps.Whitelist}
	}
	for _, p := range set.Problems {
		config.Notices = append(config.Notices, p.String())
	}
	return config
}

// loop feeds the machine until it says that everything is down.
func (s *Seat) loop(ctx context.Context) {
	down := ctx.Done()
	if s.perform(s.machine.Begin()) {
		return
	}
	for {
		var e event
		select {
		case e = <-s.events:
		case <-down:
			e.Event, down = login.Shutdown{}, nil
		}
		if e.apply != nil {
			e.apply()
		}
		if s.perform(s.machine.Handle(e.Event)) {
			return
		}
	}
}

// post hands an event to the loop; once the loop has ended it goes nowhere.
func (s *Seat) post(e login.Event, apply func()) {
	select {
	case s.events <- event{Event: e, apply: apply}:
	case <-s.quit:
	}
}

// perform does what the machine asks for, without waiting for any of it, and
// tells whether the seat is done.
func (s *Seat) perform(actions []login.Action) (done bool) {
	s.watchServers()
	s.watchKeys()
	defer s.tellStatus()
	for _, a := range actions {
		switch a := a.(type) {
		case login.StartX:
			s.startX(a)
		case login.StopX:
			s.stopX()
		case login.StartGreeter:
			s.startGreeter(a.After)
		case login.StopGreeter:
			s.stopG()
		case login.Reply:
			if c := s.conns[a.Conn]; c != nil {
				c.reply(a.Response)
			}
		case login.StartWorker:
			s.startWorker(a)
		case login.Tell:
			if w := s.workers[a.Login]; w != nil {
				w.tell(a.Message)
			}
		case login.StopWorker:
			if w := s.workers[a.Login]; w != nil {
				w.stop()
			}
		case login.StartLocal:
			s.startLocal(a)
		case login.StopLocal:
			s.stopLocal(a.Login)
		case login.ShowLocal:
			if l := s.locals[a.Login]; l != nil {
				l.show(a.Screen)
			}
		case login.RunProgram:
			if l := s.locals[a.Login]; l != nil {
				l.run(a.Run)
			}
		case login.SwitchOff:
			s.switchOff(a)
		case login.Report:
			s.report(a)
		case login.Announce:
			s.announce(a.Text)
		case login.Exit:
			done = true
		}
	}
	return done
}

func (s *Seat) report(r login.Report) {
	log, level := s.Log, slog.LevelInfo
	if w := s.workers[r.Login]; w != nil {
		log = w.log
	}
	if r.Bad {
		level = slog.LevelError
	}
	var attrs []slog.Attr
	if r.Detail != "" {
		attrs = append(attrs, slog.String("cause", r.Detail))
	}
	log.LogAttrs(context.Background(), level, r.Text, attrs...)
}

// announce writes to the text console, which is all there is to see when there
// is no greeter. Where there is no console the log has it.
func (s *Seat) announce(text string) {
	s.Log.Warn("announced", "text", text)
	s.tasks.Go(func() {
		f, err := os.OpenFile(s.Console, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return
		}
		defer f.Close()
		f.SetWriteDeadline(time.Now().Add(time.Second))
		fmt.Fprintf(f, "\r\nldm: %s\r\n", text)
	})
}

// startX starts an X server after a pause.
func (s *Seat) startX(a login.StartX) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopX = cancel
	s.tasks.Go(func() {
		defer cancel()
		err := s.runX(ctx, a)
		s.post(login.XGone{Err: err}, func() { s.x = nil })
	})
}

// runX sees an X server from its start to its end.
func (s *Seat) runX(ctx context.Context, a login.StartX) error {
	if err := sleep(ctx, a.After); err != nil {
		return err
	}
	out, file, err := newOutput(s.Log.With("process", "x server"))
	if err != nil {
		return err
	}
	defer out.close()
	user := s.xUser()
	server, err := xserver.Start(ctx, xserver.Config{
		Args: s.Settings.XServer, Fence: s.fence(user), User: user, TCP: a.Session && s.Settings.X11 == via.Direct,
		Dir: s.dir, Output: file, Group: s.children,
	})
	file.Close()
	if err != nil {
		return because(err, out)
	}
	screen := wire.Screen{Display: server.Display, Cookie: server.Cookie}
	s.post(login.XUp{Screen: screen}, func() { s.x = server })
	hung, unwatch := s.watchX(server)
	defer unwatch()
	select {
	case <-server.Done():
		err = because(server.Err(), out)
	case err = <-hung:
		server.Kill()
	case <-ctx.Done():
		err = ctx.Err()
	}
	server.Stop()
	return err
}

// because adds a program's last words to how it ended.
func because(err error, out *output) error {
	if err == nil {
		err = errors.New("exit status 0")
	}
	if line := out.lastLine(); line != "" {
		return fmt.Errorf("%w: %s", err, line)
	}
	return err
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
