package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"goldm/internal/cli"
	"goldm/internal/infowire"
	"goldm/internal/privs"
	"goldm/server-agent/serve"
)

// agentUser is whom serve runs as where root starts it.
const agentUser = "_ltsp-agent"

// The names that packaging/systemd gives its sockets (systemd.socket(5),
// FileDescriptorName).
const (
	textSocket = "text"
	httpSocket = "http"
)

// serveClients is the server's daemon.
func serveClients(ctx context.Context, args []string) error {
	flags := cli.NewFlags("ltsp-server-agent serve", "",
		"Tells clients what this server offers and how loaded it is, as an ordinary user:\n"+
			"on the sockets that systemd hands over, else where the options say, else by HTTP\n"+
			fmt.Sprintf("on port %d.", infowire.Port))
	var c serve.Config
	text := flags.String("listen", "", fmt.Sprintf("answer as LTSP 5's ldminfod on this `address`, such as :%d", infowire.TextPort))
	http := flags.String("listen-http", "", fmt.Sprintf("answer by HTTP on this `address`, such as :%d", infowire.Port))
	if err := flags.NoOperands(args); err != nil {
		return err
	}
	if err := unprivileged(append([]string{"serve"}, args...)); err != nil {
		return err
	}
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := listeners(ctx, &c, *text, *http); err != nil {
		return err
	}
	c.Info = newSource().Get
	for _, l := range append(c.Text, c.HTTP...) {
		c.Log.Info("listening", "address", l.Addr())
	}
	daemon.SdNotify(false, daemon.SdNotifyReady) // sd_notify(3); without systemd it does nothing
	return serve.Run(ctx, c)
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
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return privs.Exec(user, os.Getppid(), append([]string{self}, args...)) // the sockets of systemd stay open
}

// listeners opens what to listen on.
func listeners(ctx context.Context, c *serve.Config, text, http string) error {
	inherited, err := activation.ListenersWithNames()
	if err != nil {
		return fmt.Errorf("sockets of systemd: %w", err)
	}
	c.Text, c.HTTP = inherited[textSocket], inherited[httpSocket]
	if len(c.Text)+len(c.HTTP) == 0 && text == "" && http == "" {
		http = fmt.Sprintf(":%d", infowire.Port)
	}
	return errors.Join(listen(ctx, text, &c.Text), listen(ctx, http, &c.HTTP))
}

// listen opens one more listener, where there is an address for it.
func listen(ctx context.Context, address string, to *[]net.Listener) error {
	if address == "" {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		*to = append(*to, l)
	}
	return err
}
