package commands

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"github.com/coreos/go-systemd/v22/activation"
	systemd "github.com/coreos/go-systemd/v22/daemon"

	"goldm/internal/cli"
	"goldm/internal/infowire"
	"goldm/internal/logs"
	"goldm/internal/privs"
	"goldm/server-agent/serve"
	"goldm/server-agent/settings"
)

// agentUser is whom serve runs as where root starts it.
const agentUser = "_ltsp-agent"

// The names that packaging/systemd gives its sockets (systemd.socket(5),
// FileDescriptorName).
const (
	textSocket = "text"
	httpSocket = "http"

	controlSocket = "control"
	metricsSocket = "metrics"
)

// serveClients is the server's daemon.
func serveClients(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent serve", "",
		"Tells clients what this server offers and how loaded it is, as an ordinary user:\n"+
			"on the sockets that systemd hands over, else where the options say, else where the\n"+
			fmt.Sprintf("configuration says, else by HTTP on port %d. Keeps this server's sessions in mind,\n", infowire.Port)+
			"and those of the cluster where there is one.")
	text := flags.String("listen", "", fmt.Sprintf("answer as LTSP 5's ldminfod on this `address`, such as :%d", infowire.TextPort))
	http := flags.String("listen-http", "", fmt.Sprintf("answer by HTTP on this `address`, such as :%d", infowire.Port))
	path := flags.String("config", settings.Path, "the configuration `file`")
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	if err := unprivileged(append([]string{"serve"}, args...)); err != nil {
		return err
	}
	log, closeLog := logs.Open(os.Stderr, slog.LevelInfo)
	defer closeLog()
	s, problems, err := settings.Load(*path)
	if err != nil {
		log.Error("all settings are the default ones", "err", err)
	}
	for _, problem := range problems {
		log.Warn("configuration", "problem", problem.String())
	}
	if *text != "" || *http != "" {
		s.Listen, s.ListenHTTP = some(*text), some(*http)
	}
	return runDaemon(ctx, s, log)
}

// some is a list of what there is.
func some(address string) []string {
	if address == "" {
		return nil
	}
	return []string{address}
}

// runDaemon runs the daemon with its settings.
func runDaemon(stop context.Context, s settings.Settings, log *slog.Logger) error {
	boundMemory()
	ctx, cancel := context.WithCancel(stop)
	defer cancel()
	open, err := listeners(ctx, s, log)
	if err != nil {
		return err
	}
	if open.control == nil && s.Cluster != "" {
		// A second daemon would take the first one's name, and any that hears of no
		// session would tell the others that there are none.
		log.Error("no cluster: this daemon stays out of it, since it hears of no sessions")
		s.Cluster = ""
	}
	source := newSource()
	d := newDaemon(s, source, log)
	answers := serve.Config{Text: open.text, HTTP: open.http, Info: source.Get, Log: log}
	for _, l := range append(open.text, open.http...) {
		log.Info("listening", "address", l.Addr())
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	beside.Go(func() { d.run(ctx, open.control, open.metrics) })
	systemd.SdNotify(false, systemd.SdNotifyReady) // sd_notify(3); without systemd it does nothing
	return serve.Run(ctx, answers)
}

// unprivileged makes root's process one of the agent's own user: what strangers on the
// network talk to has no business as root.
func unprivileged(args []string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	user, err := privs.Lookup(agentUser)
	if err != nil {
		return fmt.Errorf("serve does not run as root: %w; make that a system user", err)
	}
	if err := makeFolders(user); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return privs.Exec(user, os.Getppid(), append([]string{self}, args...)) // the sockets of systemd stay open
}

// opened is what the daemon listens on; control and metrics may be nil.
type opened struct {
	text, http       []net.Listener
	control, metrics net.Listener
}

// listeners opens what to listen on. Without the control socket or the metrics all else works.
func listeners(ctx context.Context, s settings.Settings, log *slog.Logger) (o opened, err error) {
	inherited, err := activation.ListenersWithNames()
	if err != nil {
		return o, fmt.Errorf("sockets of systemd: %w", err)
	}
	if o.text = inherited[textSocket]; len(o.text) == 0 {
		err = listen(ctx, s.Listen, &o.text)
	}
	if o.http = inherited[httpSocket]; len(o.http) == 0 && err == nil {
		err = listen(ctx, s.ListenHTTP, &o.http)
	}
	if err != nil {
		return o, err
	}
	if all := inherited[controlSocket]; len(all) > 0 {
		o.control = all[0]
	} else if o.control, err = listenControl(ctx); err != nil {
		log.Warn("sessions are not heard of, since the daemon's socket is not there", "err", err)
		o.control = nil
	}
	if all := inherited[metricsSocket]; len(all) > 0 {
		o.metrics = all[0]
	} else if s.Metrics != "" {
		var l []net.Listener
		if err := listen(ctx, []string{s.Metrics}, &l); err != nil {
			log.Warn("no metrics", "err", err)
		} else {
			o.metrics = l[0]
		}
	}
	return o, nil
}

// listen opens more listeners.
func listen(ctx context.Context, addresses []string, to *[]net.Listener) error {
	for _, address := range addresses {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		*to = append(*to, l)
	}
	return nil
}
