package byhand

import (
	"fmt"
	"slices"
	"strings"

	"goldm/internal/cli"
	"goldm/internal/via"
	"goldm/session"
)

// Name is the program's name in its messages.
const Name = "ldm-session"

const about = `Logs in to a server over SSH and starts the desktop there, on the display
$DISPLAY; or runs a command, whose exit status becomes ldm-session's. One word
after -- is shell text, several are an argument list. The exit status is 255
when the connection or the login failed.`

// options is the command line.
type options struct {
	user    string // empty if not typed
	host    string
	port    int      // 0 if not typed
	command []string // empty for the desktop

	session    string
	identities list
	noSound    bool
	x11        via.Way // how the display is reached
	localApps  programs
	legacyApps bool
	verbose    bool
}

// list is an option that may come several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

// parseOptions reads the command line.
func parseOptions(args []string) (options, error) {
	var o options
	flags := cli.NewFlags(Name, "[user@]server[:port] [-- command [arg...]]", about)
	flags.StringVar(&o.session, "session", "", "the `name` of the desktop to start, instead of the server's default")
	flags.Var(&o.identities, "i", "a `file` with a private key; may be given more than once")
	flags.BoolVar(&o.verbose, "v", false, "say what happens on standard error")
	flags.BoolVar(&o.noSound, "no-sound", false, "keep programs on the server from the sound of this computer")
	flags.Var(&o.localApps, "local-apps", "`programs` of this computer that the session may run as you, such as firefox,gimp")
	flags.BoolVar(&o.legacyApps, "legacy-local-apps", false, "let the session ask for them by LTSP_COMMAND too")
	flags.TextVar(&o.x11, "x11", via.Auto, "the `way` of the display: auto, accelerated, forwarded, or direct, which is not encrypted")

	before, hasCommand := args, false
	if i := slices.Index(args, "--"); i >= 0 {
		before, o.command, hasCommand = args[:i], args[i+1:], true
	}
	operands, err := flags.Parse(before)
	if err != nil {
		return o, err
	}
	switch {
	case len(operands) == 0:
		return o, cli.Usagef("a server is missing; %s --help shows the usage", Name)
	case len(operands) > 1:
		return o, cli.Usagef("unexpected argument %q; a command comes after --", operands[1])
	case hasCommand && len(o.command) == 0:
		return o, cli.Usagef("a command is missing after --")
	case hasCommand && o.session != "":
		return o, cli.Usagef("--session is for the desktop, not for a command")
	}
	if err := o.checkApps(); err != nil {
		return o, err
	}
	o.user, o.host, o.port, err = parseDestination(operands[0])
	return o, err
}

// parseDestination takes [user@]server[:port] apart. A user's name may hold an
// @, a server's may not.
func parseDestination(destination string) (user, host string, port int, err error) {
	server := destination
	if i := strings.LastIndexByte(destination, '@'); i >= 0 {
		user, server = destination[:i], destination[i+1:]
		if user == "" {
			return "", "", 0, cli.Usagef("%q: the user is missing before the @", destination)
		}
	}
	host, port, err = session.ParseServer(server)
	if err != nil {
		return "", "", 0, cli.Usage(fmt.Errorf("%q: not [user@]server[:port]", destination))
	}
	return user, host, port, nil
}
