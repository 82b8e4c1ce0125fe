package wrap

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"goldm/internal/agentwire"
	"goldm/internal/logs"
	"goldm/server-agent/display"
	"goldm/server-agent/menu"
	"goldm/server-agent/sessions"
	"goldm/server-agent/sound"
)

// The limits that make a lost client's session end within 40 seconds of its last
// sign of life: Silence, then Grace, then giveUp. A client pings every 10 seconds, and takes a server for
// gone after 28 seconds.
const (
	DefaultSilence = 30 * time.Second
	DefaultGrace   = 3 * time.Second
)

// flushLimit bounds the wait for the last message to leave, at the end.
const flushLimit = 2 * time.Second

// Config says what to run and for whom.
type Config struct {
	ID      string // of the session
	Desktop Desktop
	Version string // of the program, for the client's log

	In     io.Reader // from the client
	Out    io.Writer // to the client
	Stderr io.Writer // for the log and what the desktop says before it has a log of its own

	// Started is called when the desktop's first command runs, and Ending when the
	// session begins to end; nil for nobody.
	Started, Ending func()

	// Keeper is a socket, not blocking, that ends when the session's keeper has gone; nil for a session without.
	Keeper *os.File

	MenuWait time.Duration // how long the client's menu may take; 0 where none comes
	Silence  time.Duration // how long a client that pinged may be silent
	Grace    time.Duration // between TERM and KILL
	Beat     time.Duration // between two signs of life of the keeper
}

// Run starts the desktop, waits for its end or the client's, ends every
// process of the session, and returns the desktop's exit status as a shell
// would give it. It changes the whole process: it takes in orphans and waits for
// any child, so the program can have no other children. The goroutines that read In
// and Keeper last until these end; the program should exit after Run.
func Run(ctx context.Context, cfg Config) (status int, err error) {
	s, err := newSession(cfg)
	if err != nil {
		return 0, err
	}
	defer ignoreBrokenPipes()()
	reason := ""
	defer func() {
		if reason == keeperHangs {
			killParent(s.parent)
		}
	}()
	defer s.close()
	if err := s.start(ctx); err != nil {
		return 0, err
	}
	reason = s.wait(ctx)
	s.log.Info("session ends", "reason", reason)
	s.keeper.beat() // the last one
	if err := sessions.MarkEnding(); err != nil {
		s.log.Warn("the session still looks as if it stayed", "err", err)
	}
	if s.cfg.Ending != nil {
		s.cfg.Ending()
	}
	s.sound.Stop()
	s.brood.end()
	s.brood.forget(s.cfg.Desktop.Env)
	status, dark := shellStatus(s.brood.status), s.display.IsGone()
	if dark && status == 0 {
		status = 1 // nobody logged out
	}
	s.say(&agentwire.Ended{
		Status: status, From: s.folder.EndedFrom(), Dark: dark,
		Silent: reason == clientSilent, Hung: reason == keeperHangs,
	})
	return status, nil
}

// The reasons for an end that the client has to know.
const (
	clientSilent = "the client is silent"
	keeperHangs  = "the keeper hangs"
)

// ignoreBrokenPipes makes writing to a closed pipe an error instead of the
// end of the program. Other than signal.Ignore it is not passed on to the desktop.
func ignoreBrokenPipes() (restore func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}

// session is a desktop that runs. Its fields belong to the goroutine of Run.
type session struct {
	cfg      Config
	log      *slog.Logger
	closeLog func()
	brood    *brood
	client   *outlet // messages
	stderr   *outlet // the log
	folder   sessions.Folder
	output   *relay // the desktop's own output, nil before the start
	sound    *sound.Folder
	menu     *menu.Menu
	display  *display.Held
	keeper   *counterpart
	parent   int           // the keeper's process
	stop     chan struct{} // closed at the end, for the goroutine that reads In

	messages <-chan agentwire.Message // from the client; closed when it has gone
	silence  *time.Timer              // runs once the client has pinged
	reason   string                   // why the session has to end, if that was known before it began
}

func newSession(cfg Config) (*session, error) {
	s := &session{
		cfg:    cfg,
		keeper: meet(cfg.Keeper, cfg.Beat),
		parent: os.Getppid(),
		client: newOutlet(cfg.Out),
		stderr: newOutlet(cfg.Stderr),
		stop:   make(chan struct{}),
	}
	s.log, s.closeLog = logs.Open(s.stderr, slog.LevelInfo)
	s.silence = time.NewTimer(cfg.Silence)
	s.silence.Stop() // a client that never pings may be silent
	s.messages = receive(cfg.In, s.stop)
	var err error
	s.brood, err = newBrood(cfg.Grace, s.log)
	return s, err
}

func (s *session) close() {
	s.sound.Stop()
	if err := s.menu.Remove(); err != nil {
		s.log.Warn("left behind", "err", err)
	}
	s.display.Release()
	cleanUp(s.cfg.ID, s.cfg.Desktop.Env, s.log)
	close(s.stop)
	s.brood.close()
	if s.output != nil {
		s.output.close()
	}
	s.client.close(flushLimit)
	s.closeLog()
	s.stderr.close(flushLimit)
}

// start says hello and starts the desktop.
func (s *session) start(ctx context.Context) error {
	s.say(&agentwire.Hello{Version: agentwire.Version, Agent: s.cfg.Version})
	output, err := newRelay(s.stderr)
	if err != nil {
		return err
	}
	s.output = output
	env := s.makeFolder()
	if s.display, err = display.Hold(env); err != nil {
		s.warn("the session may outlive its display: %v", err)
	}
	s.begun()
	if s.sound, err = sound.Open(env, s.log); err != nil {
		s.log.Warn("sound", "err", err)
	}
	s.menu = s.takeMenu(ctx, env)
	s.brood.first, err = s.cfg.Desktop.start(place{id: s.cfg.ID, folder: s.folder, env: env, menu: s.menu}, output.in, s.log)
	output.started()
	if err != nil {
		return err
	}
	s.say(&agentwire.Started{})
	if s.cfg.Started != nil {
		s.cfg.Started()
	}
	return nil
}

// begun tells the keeper that the session can be ended in order from now on.
func (s *session) begun() {
	s.keeper.beat()
}

// makeFolder makes the session's folder, and returns the environment with the
// runtime directory in it.
func (s *session) makeFolder() (env []string) {
	env = s.cfg.Desktop.Env
	runtime := lookup(env, "XDG_RUNTIME_DIR")
	if err := sessions.RemoveStale(runtime); err != nil {
		s.log.Warn("left behind by a session that was killed", "err", err)
	}
	folder, err := sessions.MakeFolder(s.cfg.ID, runtime)
	s.folder = folder
	switch {
	case folder.Path == "":
		s.warn("the session has no folder for its files and no D-Bus of its own: %v", err)
	case err != nil:
		s.warn("%v; the session uses %s", err, folder.Runtime)
	}
	if folder.Runtime == "" || folder.Runtime == runtime {
		return env
	}
	return with(env, "XDG_RUNTIME_DIR="+folder.Runtime)
}

// warn says here and at the client what an administrator should know.
func (s *session) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.log.Warn("warning", "text", text)
	s.say(&agentwire.Warning{Text: text[:min(len(text), maxWarning)]})
}

// maxWarning bounds a warning, in bytes; as JSON it may be six times as long.
const maxWarning = 500

// say queues a message. A client that takes none shows as a broken outlet, or
// as silence.
func (s *session) say(m agentwire.Message) {
	if err := agentwire.Write(s.client, m); err != nil {
		s.log.Warn("message to the client lost", "err", err)
	}
}

// wait waits until the session has to end, and returns why.
func (s *session) wait(ctx context.Context) (reason string) {
	if s.reason != "" {
		return s.reason
	}
	beat := time.NewTicker(s.cfg.Beat)
	defer beat.Stop()
	for {
		select {
		case <-s.brood.children:
			if s.brood.reap(); s.brood.exited {
				return "the desktop exited"
			}
		case m := <-s.messages:
			if reason := s.heard(m); reason != "" {
				return reason
			}
		case <-beat.C:
			s.keeper.beat()
		case <-s.keeper.gone:
			return "the keeper has gone"
		case <-s.keeper.hung:
			return keeperHangs
		case <-s.display.Gone():
			return "the display has gone"
		case <-s.silence.C:
			return clientSilent
		case <-s.client.broken:
			return "the client cannot be written to"
		case <-ctx.Done():
			return context.Cause(ctx).Error()
		}
	}
}

// heard does what a message asks for, and returns why the session has to end, if it has.
// No message means that there are no more.
func (s *session) heard(m agentwire.Message) (reason string) {
	switch m.(type) {
	case nil:
		return "the client has gone"
	case *agentwire.Ping:
		s.silence.Reset(s.cfg.Silence)
		s.say(&agentwire.Pong{})
	case *agentwire.End:
		return "the client asked"
	}
	return ""
}

// receive reads messages until r ends, which closes the channel, or stop closes.
// Lines that make no sense are skipped: a later version may know them.
func receive(r io.Reader, stop <-chan struct{}) <-chan agentwire.Message {
	messages := make(chan agentwire.Message)
	go func() {
		defer close(messages)
		reader := agentwire.NewReader(r)
		for {
			m, err := reader.Read()
			switch {
			case isBadMessage(err):
				continue
			case err != nil:
				return
			}
			select {
			case messages <- m:
			case <-stop:
				return
			}
		}
	}()
	return messages
}
