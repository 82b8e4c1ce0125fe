package apps

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"goldm/internal/logs"
	"goldm/ldm/localuser"
	"goldm/ldm/room"
	"goldm/ldm/wire"
)

const (
	maxOpen    = 512      // requests of a login at once
	maxRunning = 64       // programs of a login at once
	maxBytes   = 32 << 10 // of a program's arguments, in all
	umask      = 0o022    // of programs, as login(1) has it; ldm's own is stricter
	maxStartup = 255      // bytes of a startup notification's id; localapps takes no more

	screenLimit = 20 * time.Second // for the display to take programs
	launchLimit = 20 * time.Second // a folder on a server that hangs is no place to start in
)

// Config says whose programs run, and which.
type Config struct {
	Policy *Policy // nil: none do

	// Open makes the place for the programs: for the first, and again where that
	// failed. An error may be a *failure.Failure, as Home's.
	Open func(context.Context) (Place, error)

	// Home mounts the home: for the first program, and again where it failed or
	// was lost. An error may be a *failure.Failure, for who asked for the program.
	// Nil for a home that is empty and goes with the room.
	Home func(context.Context, Place) (Home, error)

	Language string // LANG

	// Output is where programs write to; nil for nowhere. What it leads to is
	// always read.
	Output *os.File
	Log    *slog.Logger
}

// Place is what the programs of a login run in.
type Place struct {
	Room   *room.Room
	User   *localuser.User // the room's
	Groups []int           // that open devices
	Env    []string        // how to reach the client's sound

	Display string                      // the programs' X display, such as ":100"
	Cookie  []byte                      // its MIT-MAGIC-COOKIE-1
	Screen  func(context.Context) error // waits until the display takes programs
}

// Apps are the programs of a login. Its methods may be called from several
// goroutines.
type Apps struct {
	config   Config
	log      *slog.Logger // config's, limited: who asks for programs can ask for ever
	closeLog func()
	cancel   context.CancelFunc
	ctx      context.Context

	placing sync.Mutex
	place   *furnished // nil as long as there is none
	meet    sync.Once  // with the D-Bus session

	mu     sync.Mutex
	closed bool
	home   *attempt            // the last one
	open   map[uint32]struct{} // requests that have not had their last answer
	slots  chan struct{}       // one for each program that runs
	tasks  sync.WaitGroup

	patience time.Duration // of a request, until a program ends that is one too many
}

// New returns the programs of a login. Nothing runs yet.
func New(c Config) *Apps {
	a := &Apps{
		config: c, open: make(map[uint32]struct{}), slots: make(chan struct{}, maxRunning),
		patience: 5 * time.Second,
	}
	a.log, a.closeLog = logs.Limit(c.Log, logs.Login)
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// Start runs a program, or does not, and reports what becomes of it: here, or
// later from a goroutine of its own. It does not wait for the program.
func (a *Apps) Start(run *wire.Run, report func(*wire.Ran)) {
	a.mu.Lock()
	_, twice := a.open[run.ID]
	full := len(a.open) >= maxOpen
	if twice || full || a.closed {
		a.mu.Unlock()
		switch {
		case twice: // an answer would be taken for the first one's
			a.log.Warn("a request came twice", "request", run.ID)
		default:
			a.log.Warn("a program is one too many", "request", run.ID, "closed", a.closed)
			last := crowded()
			last.ID = run.ID
			report(last)
		}
		return
	}
	a.open[run.ID] = struct{}{}
	a.tasks.Go(func() {
		last := a.run(run, report)
		a.mu.Lock()
		delete(a.open, run.ID)
		a.mu.Unlock()
		last.ID = run.ID
		report(last)
	})
	a.mu.Unlock()
}

// Stop lets no program start any more. Those that run end with the room, whose
// owner closes it next.
func (a *Apps) Stop() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
}

// CloseHome takes the home away from programs that still use it.
func (a *Apps) CloseHome() {
	a.mu.Lock()
	home := a.home
	a.mu.Unlock()
	if home != nil {
		home.close()
	}
}

// Wait waits until all is told about programs that have ended, and takes away
// what they had beside the room.
func (a *Apps) Wait() {
	a.tasks.Wait()
	a.CloseHome()
	if a.place != nil {
		a.place.bus.wait()
	}
	a.closeLog()
}

// check returns why a request makes no sense.
func check(run *wire.Run) *refusal {
	size := 0
	for _, word := range run.Args {
		size += len(word) + 1
		if strings.ContainsRune(word, 0) {
			return denied("The command has a character that no command can have.")
		}
	}
	switch {
	case len(run.Args) == 0:
		return denied("The command is empty.")
	case size > maxBytes:
		return denied("The command is too long for this client.")
	}
	return nil
}
