// Package agent is the command line of ltsp-server-agent: its subcommands, each
// wired to the package that does its duty.
package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"goldm/internal/cli"
	"goldm/server-agent/wrap"
)

// Program returns the program with its subcommands.
func Program() *cli.Program {
	return &cli.Program{
		Name:  "ltsp-server-agent",
		About: "The part of an LTSP server that thin clients' sessions talk to.",
		Commands: []cli.Command{
			{Name: "session", Summary: "run a desktop for the client at standard input, and end all of it", Run: session},
			{Name: "info", Summary: "print what this server tells its clients", Run: showInfo},
			{Name: "serve", Summary: "tell clients what this server offers and how loaded it is", Run: serveClients},
			{Name: "host-keys", Summary: "print this server's host keys for its clients' known_hosts", Run: hostKeys},
		},
	}
}

// session is run by the client's worker in its SSH session.
func session(ctx context.Context, args []string) error {
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
	}
	flags.StringVar(&cfg.Desktop.Session, "session", "", "the `name` of a session in /usr/share/xsessions, or a command")
	flags.StringVar(&cfg.Desktop.XSession, "xsession", "", "the session `script`, instead of the distribution's Xsession")
	flags.StringVar(&cfg.Desktop.Lang, "lang", "", "the `locale` of the session, such as de_DE.UTF-8")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	if script := cfg.Desktop.XSession; script != "" && !filepath.IsAbs(script) {
		return cli.Usagef("option --xsession %q: not an absolute path", script)
	}
	if lang := cfg.Desktop.Lang; strings.ContainsFunc(lang, notInLocale) {
		return cli.Usagef("option --lang %q: not the name of a locale", lang)
	}
	status, err := wrap.Run(ctx, cfg)
	if err != nil {
		return err
	}
	return cli.Exit(status)
}

// notInLocale tells whether r has no place in language_TERRITORY.codeset@modifier.
func notInLocale(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.@-", r))
}
