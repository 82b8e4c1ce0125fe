package wrap

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/logs"
	"goldm/server-agent/display"
	"goldm/server-agent/sessions"
	"goldm/server-agent/sound"
)

// lateLimit is how long a wrapper may take to end its session when it was asked
// to: more than Grace, giveUp and flushLimit.
const lateLimit = 15 * time.Second

// KeepConfig says what to keep.
type KeepConfig struct {
	ID   string   // of the session
	Argv []string // of the wrapper, which is this program again
	Env  []string // of the wrapper

	Stderr io.Writer     // for the log
	Grace  time.Duration // between TERM and KILL, where the wrapper left something
	Beat   time.Duration // between two signs of life

	// Begun is called once the session can be seen, ended and told why; may be nil.
	Begun func()

	// Asked says that somebody wants the session to end; nil for nobody.
	Asked <-chan struct{}
}

// Killed is the error of Keep where a signal ended the wrapper.
type Killed struct{ Signal syscall.Signal }

func (k *Killed) Error() string {
	return fmt.Sprintf("the session's wrapper was ended by: %v", k.Signal)
}

// Keep starts the wrapper of a session, which calls Run with the file of descriptor
// 3 as its Keeper, and waits for it. Where it was killed, its processes come to us, and Keep ends
// them as the wrapper would have. The end of ctx is passed on to the wrapper. Like
// Run it changes the whole process.
func Keep(ctx context.Context, cfg KeepConfig) (status int, err error) {
	stderr := newOutlet(cfg.Stderr)
	defer stderr.close(flushLimit)
	log, closeLog := logs.Open(stderr, slog.LevelInfo)
	defer closeLog()
	k := &keeper{cfg: cfg, log: log}
	if k.brood, err = newBrood(cfg.Grace, k.log); err != nil {
		return 0, err
	}
	defer k.brood.close()
	defer ignoreBrokenPipes()()
	sign, err := k.start()
	if err != nil {
		return 0, err
	}
	defer sign.Close()
	k.wait(ctx, meet(sign, wrapperDue(cfg.Beat)))
	if !k.brood.reap() {
		k.log.Warn("the session's wrapper has gone: ending what it left")
		k.brood.end()
	}
	if k.brood.status.Signaled() {
		k.brood.forget(cfg.Env)
	}
	cleanUp(cfg.ID, cfg.Env, k.log)
	if k.brood.status.Signaled() {
		return 0, &Killed{k.brood.status.Signal()}
	}
	return shellStatus(k.brood.status), nil
}

// keeper is the keeper of a session that runs.
type keeper struct {
	cfg     KeepConfig
	log     *slog.Logger
	brood   *brood
	wrapper *os.Process
}

// start starts the wrapper. The file that it returns is a sign of life to it, as
// long as it is open; the wrapper writes its first byte when its session has begun.
func (k *keeper) start() (sign *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket for the wrapper: %w", err)
	}
	sign, theirs := os.NewFile(uintptr(pair[0]), "wrapper"), os.NewFile(uintptr(pair[1]), "keeper")
	defer theirs.Close()
	k.wrapper, err = os.StartProcess("/proc/self/exe", k.cfg.Argv, &os.ProcAttr{
		Env:   k.cfg.Env,
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, theirs},
		// Who signals our process group is not to hit both.
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		sign.Close()
		return nil, fmt.Errorf("start the session's wrapper: %w", err)
	}
	k.brood.first = k.wrapper.Pid
	return sign, nil
}

// wait waits until the wrapper has ended, and asks it to where we are asked, though
// not before it can take that. A wrapper that hangs is killed.
func (k *keeper) wait(ctx context.Context, wrapper *counterpart) {
	var late <-chan time.Time
	beat := time.NewTicker(k.cfg.Beat)
	defer beat.Stop()
	wrapper.beat()
	begun, hung := wrapper.first, wrapper.hung
	done, asked, ready := ctx.Done(), k.cfg.Asked, false
	for {
		select {
		case <-k.brood.children:
			if k.brood.reap(); k.brood.exited {
				return
			}
		case <-beat.C:
			wrapper.beat()
		case <-hung:
			hung = nil
			k.log.Warn("the session's wrapper hangs and is killed")
			k.wrapper.Kill()
		case <-late:
			k.log.Warn("the session's wrapper does not end it")
			k.wrapper.Kill()
		case <-begun:
			begun, ready = nil, true
			if k.cfg.Begun != nil {
				k.cfg.Begun()
			}
			if late != nil {
				k.wrapper.Signal(syscall.SIGTERM)
			}
		case <-done:
			done, asked, late = nil, nil, k.ask(ready)
		case <-asked:
			done, asked, late = nil, nil, k.ask(ready)
		}
	}
}

// ask asks the wrapper to end its session, if it can be asked, and returns what says when
// that takes too long.
func (k *keeper) ask(ready bool) (late <-chan time.Time) {
	if ready {
		k.wrapper.Signal(syscall.SIGTERM)
	}
	return time.After(lateLimit)
}

// cleanUp removes the files of a session that has ended. Keeper and wrapper both do,
// since either may be gone.
func cleanUp(id string, env []string, log *slog.Logger) {
	if err := sessions.RemoveFolder(id, lookup(env, "XDG_RUNTIME_DIR")); err != nil {
		log.Warn("left behind", "err", err)
	}
	if err := sound.Remove(env); err != nil {
		log.Warn("left behind", "err", err)
	}
	if err := display.Remove(env); err != nil {
		log.Warn("left behind", "err", err)
	}
}

// Die ends this process as the wrapper ended, so that sshd tells the client of a
// signal.
func (k *Killed) Die() {
	unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	unix.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
