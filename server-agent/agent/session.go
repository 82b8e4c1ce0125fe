package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/agentwire"
	"goldm/internal/cli"
	"goldm/internal/logs"
	"goldm/server-agent/control"
	"goldm/server-agent/sessions"
	"goldm/server-agent/wrap"
)

// keeperFD is the descriptor on which a session's wrapper hears of its keeper.
const keeperFD = 3

// session is run by the client's worker in its SSH session. It becomes the
// session's keeper, under a name of its own, so that who kills the agent by name
// does not hit both.
func session(ctx context.Context, args []string) error {
	if _, err := parseSession(args); err != nil {
		return err
	}
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, sessions.IDVariable+"=") || strings.HasPrefix(entry, sessions.BeganVariable+"=")
	})
	env = append(env, sessions.IDVariable+"="+rand.Text(), sessions.BeganVariable+"="+time.Now().Truncate(time.Millisecond).Format(time.RFC3339Nano))
	err := syscall.Exec(self, slices.Concat([]string{sessions.Keeper, "keep"}, args), env)
	return fmt.Errorf("become the session's keeper: %w", err)
}

// self is this program, whatever has become of its file.
const self = "/proc/self/exe"

// statusHeld is the exit status of a session that another one is in the way of:
// EX_TEMPFAIL of sysexits(3).
const statusHeld = 75

// keep is the keeper of a session.
func keep(ctx context.Context, args []string) error {
	name("ltsp-keeper")
	cfg := wrap.KeepConfig{
		ID:     os.Getenv(sessions.IDVariable),
		Argv:   slices.Concat([]string{sessions.Wrapper, sessions.Desktop}, args),
		Env:    os.Environ(),
		Stderr: os.Stderr,
		Grace:  wrap.DefaultGrace,
		Beat:   wrap.DefaultBeat,
	}
	if !sessions.ValidID(cfg.ID) {
		return cli.Usagef("keep is not for people: use session")
	}
	mode := os.Getenv(agentwire.OneSession)
	cfg.Env = slices.DeleteFunc(cfg.Env, func(entry string) bool { return strings.HasPrefix(entry, agentwire.OneSession+"=") })
	log, closeLog := logs.Open(os.Stderr, slog.LevelInfo)
	defer closeLog()
	entered, err := admit(ctx, cfg.ID, mode, log)
	if err != nil {
		return err
	}
	defer entered.known.close()
	cfg.Begun, cfg.Asked = entered.begun, entered.known.asked
	status, err := wrap.Keep(ctx, cfg)
	if killed, ok := errors.AsType[*wrap.Killed](err); ok {
		closeLog()
		killed.Die()
	}
	if err != nil {
		return err
	}
	return cli.Exit(status)
}

// desktop is the wrapper of a session's desktop, which the keeper starts.
func desktop(ctx context.Context, args []string) error {
	name(sessions.Wrapper)
	cfg, err := parseSession(args)
	if err != nil {
		return err
	}
	cfg.ID = os.Getenv(sessions.IDVariable)
	var stat unix.Stat_t
	if err := unix.Fstat(keeperFD, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFSOCK || !sessions.ValidID(cfg.ID) {
		return cli.Usagef("%s is not for people: use session", sessions.Desktop)
	}
	unix.CloseOnExec(keeperFD)
	if err := unix.SetNonblock(keeperFD, true); err != nil {
		return fmt.Errorf("the keeper's socket: %w", err)
	}
	cfg.Keeper = os.NewFile(keeperFD, "keeper")
	began, _ := time.Parse(time.RFC3339, os.Getenv(sessions.BeganVariable)) // the keeper set it
	started := false
	var telling sync.WaitGroup
	defer telling.Wait()
	cfg.Started = func() {
		started = true
		took := time.Since(began)
		telling.Go(func() { countLogin(control.Started, took) })
	}
	cfg.Ending = func() { telling.Go(func() { leave(cfg.ID) }) }
	status, err := wrap.Run(ctx, cfg)
	if !started {
		countLogin(control.Failed, time.Since(began))
	}
	if err != nil {
		return err
	}
	return cli.Exit(status)
}

// name gives the process its name in ps(1) and pgrep(1), for it was started as "exe", or from the
// file of ltsp-session-agent. It is for people only.
func name(comm string) { os.WriteFile("/proc/self/comm", []byte(comm), 0) }

// parseSession reads the options of a session.
func parseSession(args []string) (wrap.Config, error) {
	flags := cli.NewFlags("ltsp-server-agent session", "",
		"Runs a desktop on the display $DISPLAY and speaks to the client on standard\n"+
			"input and output. When the desktop exits or the client goes, every process\n"+
			"that the desktop started is ended.")
	cfg := wrap.Config{
		Desktop: wrap.Desktop{Env: os.Environ()},
		Version: cli.ProgramVersion(),
		In:      os.Stdin,
		Out:     os.Stdout,
		Stderr:  os.Stderr,
		Silence: wrap.DefaultSilence,
		Grace:   wrap.DefaultGrace,
		Beat:    wrap.DefaultBeat,
	}
	flags.StringVar(&cfg.Desktop.Session, "session", "", "the `name` of a session in /usr/share/xsessions, or a command")
	flags.StringVar(&cfg.Desktop.XSession, "xsession", "", "the session `script`, instead of the distribution's Xsession")
	flags.StringVar(&cfg.Desktop.Lang, "lang", "", "the `locale` of the session, such as de_DE.UTF-8")
	localMenu := flags.Bool("local-menu", false, "wait for the client's programs for the menus, which it sends")
	if err := flags.NoOperands(args); err != nil {
		return cfg, err
	}
	if script := cfg.Desktop.XSession; script != "" && !filepath.IsAbs(script) {
		return cfg, cli.Usagef("option --xsession %q: not an absolute path", script)
	}
	if lang := cfg.Desktop.Lang; strings.ContainsFunc(lang, notInLocale) {
		return cfg, cli.Usagef("option --lang %q: not the name of a locale", lang)
	}
	if *localMenu {
		cfg.MenuWait = wrap.DefaultMenuWait
	}
	return cfg, nil
}

// notInLocale tells whether r has no place in language_TERRITORY.codeset@modifier.
func notInLocale(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.@-", r))
}
