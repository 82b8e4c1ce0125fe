package byhand

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"goldm/internal/cli"
	"goldm/internal/text"
	"goldm/localapps"
)

// maxApps bounds the programs that run at a time for a session.
const maxApps = 64

// program is one that the person allows the session to run.
type program struct {
	word string // as it was typed: a name or an absolute path
	path string
	file string // without any link
}

// programs is the option --local-apps.
type programs []program

func (p *programs) String() string {
	var words []string
	for _, allowed := range *p {
		words = append(words, allowed.word)
	}
	return strings.Join(words, ",")
}

// Set finds each program on PATH now, so that what the word means stays the same.
func (p *programs) Set(value string) error {
	for word := range strings.SplitSeq(value, ",") {
		if word == "" || strings.Contains(word, "/") && !filepath.IsAbs(word) {
			return fmt.Errorf("%q is neither a program's name nor an absolute path", word)
		}
		path, err := exec.LookPath(word)
		if err != nil {
			return fmt.Errorf("there is no program %q on this computer", word)
		}
		file, err := filepath.EvalSymlinks(path)
		if err != nil {
			return err
		}
		*p = append(*p, program{word: word, path: path, file: file})
	}
	return nil
}

// find returns the path of the program that a request means; false where the
// person has not named it. Another path to the same file will do, under the same name,
// since some files are several programs.
func (p programs) find(word string) (path string, ok bool) {
	file := ""
	if filepath.IsAbs(word) {
		file, _ = filepath.EvalSymlinks(word)
	}
	for _, allowed := range p {
		same := file != "" && file == allowed.file && filepath.Base(word) == filepath.Base(allowed.path)
		if same || word == allowed.word {
			return allowed.path, true
		}
	}
	return "", false
}

// apps runs programs of this computer for the session, as the person's own.
type apps struct {
	allowed programs
	home    string
	log     *slog.Logger
	mailbox *localapps.Mailbox
	stop    context.CancelFunc
	serving sync.WaitGroup
	slots   chan struct{}
}

// startApps opens a mailbox on the display; it is nil where the person allows no program, or
// another one is there.
func (r *run) startApps(ctx context.Context) *apps {
	if len(r.localApps) == 0 || r.display == nil {
		return nil
	}
	mailbox, err := localapps.Open(ctx, localapps.Config{
		Display: r.display,
		Holder:  fmt.Sprintf("%s (process %d)", Name, os.Getpid()),
		Legacy:  r.legacyApps,
		Log:     r.log,
	})
	if err != nil {
		r.log.Warn("no local applications", "err", err)
		return nil
	}
	a := &apps{allowed: r.localApps, home: r.home, log: r.log, mailbox: mailbox, slots: make(chan struct{}, maxApps)}
	ctx, a.stop = context.WithCancel(ctx)
	a.serving.Go(func() {
		if err := mailbox.Serve(ctx, a); err != nil {
			r.log.Warn("no more local applications", "err", err)
		}
	})
	return a
}

// env is for the session on the server.
func (a *apps) env() map[string]string {
	if a == nil {
		return nil
	}
	return map[string]string{"LTSP_LOCALAPPS_WINDOW": fmt.Sprintf("%#x", a.mailbox.Window())}
}

// close ends the service. What runs goes on: it is the person's.
func (a *apps) close() {
	if a == nil {
		return
	}
	a.stop()
	a.mailbox.Close()
	a.serving.Wait()
}

// Run implements localapps.Runner.
func (a *apps) Run(_ context.Context, r localapps.Request, report func(localapps.State)) {
	path, ok := a.allowed.find(r.Args[0])
	if !ok {
		shown := text.Line(r.Args[0], 100)
		a.log.Warn("the session may not run this program here", "program", shown)
		report(localapps.State{Name: localapps.Denied, Reason: fmt.Sprintf("%q is not among the programs that %s was started with.", shown, Name)})
		return
	}
	select {
	case a.slots <- struct{}{}:
	default:
		report(localapps.State{Name: localapps.Failed, Reason: "Too many programs run for this session. End some of them and try again."})
		return
	}
	if err := a.start(path, r, report); err != nil {
		<-a.slots
		a.log.Warn("program not started", "program", path, "err", err)
		report(localapps.State{Name: localapps.Failed, Reason: fmt.Sprintf("%s does not start on this computer.", path)})
	}
}

// start starts a program in a session (setsid(2)) of its own: it outlives us, and a key
// pressed on our terminal is not meant for it. The working directory on the server says
// nothing here.
func (a *apps) start(path string, r localapps.Request, report func(localapps.State)) error {
	cmd := exec.Command(path, r.Args[1:]...)
	cmd.Args[0] = r.Args[0]
	cmd.Dir = a.home
	cmd.Env = cmd.Environ()
	if r.Startup != "" {
		cmd.Env = append(cmd.Env, "DESKTOP_STARTUP_ID="+r.Startup)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	a.log.Info("program started for the session", "program", path, "pid", cmd.Process.Pid)
	report(localapps.State{Name: localapps.Started, PID: cmd.Process.Pid})
	go func() { // ends with the program, or with us
		cmd.Wait()
		<-a.slots
		report(localapps.State{Name: localapps.Exited, Status: statusOf(cmd.ProcessState)})
	}()
	return nil
}

// statusOf is how a shell tells a process's end.
func statusOf(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return state.ExitCode()
}

// checkApps says what is wrong with the options about local applications.
func (o *options) checkApps() error {
	if o.legacyApps && len(o.localApps) == 0 {
		return cli.Usagef("--legacy-local-apps is of no use without --local-apps")
	}
	return nil
}
