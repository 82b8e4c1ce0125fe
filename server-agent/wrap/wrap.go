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

	"golang.org/x/sys/unix"

	"goldm/internal/agentwire"
	"goldm/server-agent/sound"
)

// The limits that make a lost client's session end within a minute of its last
// sign of life: Silence, then Grace, then giveUp.
const (
	DefaultSilence = 45 * time.Second
	DefaultGrace   = 3 * time.Second
)

// flushLimit bounds the wait for the last message to leave, at the end.
const flushLimit = 2 * time.Second

// Config says what to run and for whom.
type Config struct {
	Desktop Desktop
	Version string // of the program, for the client's log

	In     io.Reader // from the client
	Out    io.Writer // to the client
	Stderr io.Writer // for the log and what the desktop says before it has a log of its own

	Silence time.Duration // how long a client that pinged may be silent
	Grace   time.Duration // between TERM and KILL
}

// Run starts the desktop, waits for its end or the client's, ends every
// process of the session, and returns the desktop's exit status as a shell
// would give it. It changes the whole process: it takes in orphans and waits for
// any child, so the program can have no other children. The goroutine that reads In
// lasts until In ends; the program should exit after Run.
func Run(ctx context.Context, cfg Config) (status int, err error) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("become child subreaper: %w", err)
	}
	defer ignoreBrokenPipes()()
	s := newSession(cfg)
	defer s.close()
	if err := s.start(); err != nil {
		return 0, err
	}
	s.log.Info("session ends", "reason", s.wait(ctx))
	s.sound.Stop()
	s.end()
	s.say(&agentwire.Ended{Status: s.status})
	return s.status, nil
}

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
	client   *outlet // messages
	stderr   *outlet // the log
	output   *relay  // the desktop's own output, nil before the start
	sound    *sound.Folder
	children chan os.Signal
	stop     chan struct{} // closed at the end, for the goroutine that reads In

	desktop int // process id
	exited  bool
	status  int
}

func newSession(cfg Config) *session {
	s := &session{
		cfg:      cfg,
		client:   newOutlet(cfg.Out),
		stderr:   newOutlet(cfg.Stderr),
		children: make(chan os.Signal, 1),
		stop:     make(chan struct{}),
	}
	s.log = slog.New(slog.NewTextHandler(s.stderr, nil))
	signal.Notify(s.children, syscall.SIGCHLD)
	return s
}

func (s *session) close() {
	s.sound.Stop()
	if err := s.sound.Remove(); err != nil {
		s.log.Warn("left behind", "err", err)
	}
	close(s.stop)
	signal.Stop(s.children)
	if s.output != nil {
		s.output.close()
	}
	s.client.close(flushLimit)
	s.stderr.close(flushLimit)
}

// start says hello and starts the desktop.
func (s *session) start() error {
	s.say(&agentwire.Hello{Version: agentwire.Version, Agent: s.cfg.Version})
	output, err := newRelay(s.stderr)
	if err != nil {
		return err
	}
	s.output = output
	if s.sound, err = sound.Open(s.cfg.Desktop.Env, s.log); err != nil {
		s.log.Warn("sound", "err", err)
	}
	s.desktop, err = s.cfg.Desktop.start(output.in, s.log)
	output.started()
	if err != nil {
		return err
	}
	s.say(&agentwire.Started{})
	return nil
}

// say queues a message. A client that takes none shows as a broken outlet, or
// as silence.
func (s *session) say(m agentwire.Message) {
	if err := agentwire.Write(s.client, m); err != nil {
		s.log.Warn("message to the client lost", "err", err)
	}
}

// wait waits until the session has to end, and returns why.
func (s *session) wait(ctx context.Context) (reason string) {
	messages := receive(s.cfg.In, s.stop)
	silence := time.NewTimer(s.cfg.Silence)
	silence.Stop() // a client that never pings may be silent
	for {
		select {
		case <-s.children:
			if s.reap(); s.exited {
				return "the desktop exited"
			}
		case m, open := <-messages:
			if !open {
				return "the client has gone"
			}
			switch m.(type) {
			case *agentwire.Ping:
				silence.Reset(s.cfg.Silence)
				s.say(&agentwire.Pong{})
			case *agentwire.End:
				return "the client asked"
			}
		case <-silence.C:
			return "the client is silent"
		case <-s.client.broken:
			return "the client cannot be written to"
		case <-ctx.Done():
			return context.Cause(ctx).Error()
		}
	}
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
