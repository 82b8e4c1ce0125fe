package localdisplay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/internal/xauth"
	"goldm/ldm/fence"
	"goldm/ldm/wire"
)

const (
	startLimit = 20 * time.Second // for the filter, from its start until it takes programs
	stopGrace  = 2 * time.Second

	steady   = 20 * time.Second // a filter that ran this long had come up
	maxPause = time.Minute      // between two tries
)

// Config says whose display it is, and which X server is behind it.
type Config struct {
	Program []string   // the filter's command, with what makes it another user's
	User    privs.User // whom the display is for
	Folder  string     // of MakeFolder

	Display string // the X server's, such as ":0"
	Cookie  []byte // its MIT-MAGIC-COOKIE-1

	Group *supervise.Group

	// Output returns a file for what the filter says, and what to call when it
	// has ended.
	Output func(process string) (*os.File, func(), error)
	Log    *slog.Logger
}

// Display is a display for local programs.
type Display struct {
	Name   string // such as ":100"
	Cookie []byte // the MIT-MAGIC-COOKIE-1 that programs show; it is good for nothing else

	config  Config
	sockets *sockets
	cancel  context.CancelFunc
	keeper  sync.WaitGroup

	mu  sync.Mutex
	try *try
}

// try is one try to have a filter.
type try struct {
	known chan struct{} // closed when it takes programs, or err is set
	err   error
}

// Open makes a display and starts its filter; Ready waits for that.
func Open(c Config) (*Display, error) {
	s, err := listen(c.Folder, c.User)
	if err != nil {
		return nil, fmt.Errorf("display of local programs: %w", err)
	}
	d := &Display{
		Name: fmt.Sprintf(":%d", s.number), Cookie: xauth.NewCookie(), config: c, sockets: s, try: &try{known: make(chan struct{})},
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.keeper.Go(func() { d.keep(ctx) })
	return d, nil
}

// Close ends the filter, and with it the connections of programs that still run.
// The cookie is good for nothing any more.
func (d *Display) Close() {
	d.cancel()
	d.keeper.Wait()
	d.sockets.close()
}

// Ready waits until the display takes programs, and returns why it does not.
func (d *Display) Ready(ctx context.Context) error {
	d.mu.Lock()
	t := d.try
	d.mu.Unlock()
	select {
	case <-t.known:
		return t.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isKnown reports whether it is known what the try came to.
func (t *try) isKnown() bool {
	select {
	case <-t.known:
		return true
	default:
		return false
	}
}

// begin has those who ask from now on wait for the next try.
func (d *Display) begin() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.try.isKnown() {
		d.try = &try{known: make(chan struct{})}
	}
}

// settle tells those who wait, and those who ask from now on, whether programs are
// taken: err is nil, or why not.
func (d *Display) settle(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.try.isKnown() {
		d.try = &try{known: make(chan struct{})}
	}
	d.try.err = err
	close(d.try.known)
}

// keep has a filter running until ctx is done. One that ends is started again, at
// once and then after 1 s, 2 s, 4 s … up to a minute.
func (d *Display) keep(ctx context.Context) {
	defer d.settle(os.ErrClosed)
	for wait := time.Duration(0); ; wait = min(max(2*wait, time.Second), maxPause) {
		begun := time.Now()
		err := d.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(begun) >= steady {
			wait = 0
		}
		d.config.Log.Error("local programs cannot use the screen; trying again", "after", wait, "cause", err)
		if wait > 0 {
			d.settle(err)
		}
		if !pause(ctx, wait) {
			return
		}
		d.begin()
	}
}

// run sees a filter from its start to its end.
func (d *Display) run(ctx context.Context) error {
	conn, theirs, err := wire.FilterPair()
	if err != nil {
		return err
	}
	defer conn.Close()
	process, done, err := d.start(theirs)
	if err != nil {
		return err
	}
	defer done()
	defer context.AfterFunc(ctx, func() { conn.Close() })() // which asks it to end
	slow := time.AfterFunc(startLimit, func() { conn.Close() })
	err = d.admit(conn)
	slow.Stop()
	if err != nil {
		conn.Close()
		process.Stop(stopGrace)
		return fmt.Errorf("the filter takes no programs: %w", errors.Join(err, process.Err()))
	}
	d.settle(nil)
	select {
	case <-process.Done():
		return cmp.Or(process.Err(), errors.New("the filter ended with exit status 0"))
	case <-ctx.Done():
		process.Stop(stopGrace)
		return ctx.Err()
	}
}

// start starts a filter. done is to be called when it has ended.
func (d *Display) start(theirs *os.File) (process *supervise.Process, done func(), err error) {
	file, done, err := d.config.Output("filter")
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	defer file.Close()
	process, err = d.config.Group.Start(supervise.Command{
		Name: "filter", Log: d.config.Log,
		Args:  d.config.Program,
		Env:   []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"},
		Dir:   "/",
		Files: []*os.File{theirs},
		// It reaches the X server by the path of its socket, for which it needs no
		// network (unix(7)).
		Namespaces: fence.Namespaces | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		Stdout:     file, Stderr: file,
	})
	if err != nil {
		done()
		return nil, nil, err
	}
	return process, done, nil
}

// admit tells a filter whom to let in, and waits until it does.
func (d *Display) admit(conn *wire.Conn) error {
	files, err := d.sockets.files()
	if err != nil {
		return err
	}
	m := &wire.Admit{
		Display: d.config.Display, Cookie: d.config.Cookie, Shown: d.Cookie, UID: d.config.User.UID, Listeners: files,
	}
	defer wire.CloseFiles(m)
	if err := conn.Send(m); err != nil {
		return err
	}
	_, err = conn.Receive()
	return err
}

// pause waits, and tells whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
