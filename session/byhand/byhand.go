package byhand

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"goldm/internal/cli"
	"goldm/internal/failure"
	"goldm/internal/logs"
	"goldm/internal/privs"
	"goldm/internal/xauth"
	"goldm/session"
	"goldm/session/x11"
)

// statusFailed is the exit status when the connection or the login failed: ssh(1).
const statusFailed = 255

// Run is the program; it suits cli.Main.
func Run(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	if err := privs.Opaque(); err != nil {
		return err
	}
	log, closeLog := logs.Open(os.Stderr, level)
	defer closeLog()
	return (&run{options: o, log: log}).run(ctx)
}

// run is one run of the program.
type run struct {
	options
	log *slog.Logger

	home    string
	account string       // ours on this computer
	target  hostConfig   // where to, completed
	display *x11.Display // nil for none
}

func (r *run) run(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return failed(err)
	}
	client, err := r.login(ctx)
	if err != nil {
		return failed(err)
	}
	defer client.Close()
	if len(r.command) > 0 {
		return r.runCommand(ctx, client)
	}
	return r.runDesktop(ctx, client)
}

// failed gives an error the exit status of a login that failed.
func failed(err error) error { return &cli.ExitError{Code: statusFailed, Err: err} }

// prepare finds out what has to be known before the server is called.
func (r *run) prepare(ctx context.Context) error {
	me, err := user.Current()
	if err != nil {
		return fmt.Errorf("own account: %w", err)
	}
	r.account = me.Username
	r.home = cmp.Or(os.Getenv("HOME"), me.HomeDir)
	r.target, err = readHostConfig(filepath.Join(r.home, ".ssh", "config"), r.host)
	if err != nil {
		r.log.Warn("ssh configuration not used", "err", err)
	}
	r.target.host = cmp.Or(r.target.host, r.host)
	r.target.user = cmp.Or(r.user, r.target.user, r.account)
	r.target.port = cmp.Or(r.port, r.target.port, session.DefaultPort)
	if r.target.pkcs11 != "" {
		r.log.Warn("PKCS11Provider is not used: ssh-add -s adds its keys to the agent")
	}
	return r.findDisplay(ctx)
}

// findDisplay finds the local display and its cookie. A command may do without.
func (r *run) findDisplay(ctx context.Context) error {
	name := os.Getenv("DISPLAY")
	if name == "" {
		if len(r.command) > 0 {
			return nil
		}
		return failure.New(nil, "There is no display for the desktop: DISPLAY is not set. "+
			"Start %s from an X session, or by xinit.", Name)
	}
	display, err := x11.ParseDisplay(name)
	if err != nil {
		return failure.New(err, "The display %.100q is none. Set DISPLAY to the one to use.", name)
	}
	// Without a cookie the display may let us in by our user id.
	if err := display.Authorize(ctx, xauth.Filename(os.Getenv)); err != nil {
		r.log.Warn("no cookie for the display", "display", name, "err", err)
	}
	r.display = display
	return nil
}

// locale returns the variables that sshd's AcceptEnv usually names.
func locale(environ []string) map[string]string {
	env := make(map[string]string)
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); name == "LANG" || strings.HasPrefix(name, "LC_") {
			env[name] = value
		}
	}
	return env
}
