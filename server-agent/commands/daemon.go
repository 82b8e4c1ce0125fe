package commands

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"goldm/internal/cli"
	"goldm/internal/folder"
	"goldm/internal/infowire"
	"goldm/internal/privs"
	"goldm/server-agent/cluster"
	"goldm/server-agent/control"
	"goldm/server-agent/control/server"
	"goldm/server-agent/hostkeys"
	"goldm/server-agent/info"
	"goldm/server-agent/metrics"
	"goldm/server-agent/serve"
	"goldm/server-agent/sessions"
	"goldm/server-agent/settings"
)

// daemon is what serve does besides answering clients: it knows this server's sessions
// and the other servers. Each part may fail without the others.
type daemon struct {
	settings settings.Settings
	source   *info.Source
	control  *server.Server
	cluster  *cluster.Cluster
	metrics  *metrics.Metrics
	log      *slog.Logger
}

// newDaemon prepares a daemon, which tells source what it knows.
func newDaemon(s settings.Settings, source *info.Source, log *slog.Logger) *daemon {
	d := &daemon{settings: s, source: source, log: log}
	d.control = server.New(server.Config{Name: ownName(s), Login: d.login, Log: log})
	d.cluster = d.newCluster()
	source.Drained, source.Servers = d.control.Drained, d.servers
	c := metrics.Config{
		Version:  cli.ProgramVersion(),
		Results:  []string{control.Started, control.Failed, control.Refused, control.Held},
		Sessions: sessions.Count,
		Rating:   func() int { return d.report().Rating },
		Drained:  d.control.Drained,
		Memory:   func() (int64, error) { return metrics.Memory(sessions.Wrapper, sessions.Keeper) },
		Log:      log,
	}
	if s.Cluster != "" {
		c.Reachable = func() bool { return d.cluster.State().Reachable }
		c.Servers = func() int { return len(d.cluster.Servers()) }
	}
	d.metrics = metrics.New(c)
	return d
}

// newCluster returns our part of the cluster. Where that cannot be, the log says
// why, and this server is on its own.
func (d *daemon) newCluster() *cluster.Cluster {
	config := cluster.Config{
		Self: cluster.Server{Name: ownName(d.settings), Hosts: ownHosts(d.settings), Port: d.settings.SSHPort, Version: cli.ProgramVersion()},
		End:  d.control.End, Log: d.log,
	}
	alone, err := cluster.New(config)
	if err != nil || d.settings.Cluster == "" {
		return alone
	}
	config.Endpoints, config.Prefix, config.Lease = d.settings.Endpoints, d.settings.Prefix, d.settings.Lease
	config.Report = d.report
	if config.Self.Keys, err = hostkeys.Fingerprints(hostkeys.Folder); err != nil {
		d.log.Warn("the cluster is not told this server's host keys", "err", err)
	}
	if config.Self.Identity, err = cluster.Identity(); err == nil {
		config.TLS, err = cluster.TLS(d.settings.CA, d.settings.Cert, d.settings.Key)
	}
	if err == nil {
		var joined *cluster.Cluster
		if joined, err = cluster.New(config); err == nil {
			return joined
		}
	}
	d.log.Error("no cluster: this server is on its own", "err", err)
	return alone
}

// report is what the other servers are told of this one.
func (d *daemon) report() cluster.Report {
	rating, running := d.source.Measure(context.Background()) // which waits for nothing
	return cluster.Report{Rating: rating, Sessions: max(running, 0), Drained: d.control.Drained()}
}

func (d *daemon) login(result string, took time.Duration) {
	d.metrics.Login(result, took, result == control.Started)
}

// servers is where clients find the other servers of the cluster.
func (d *daemon) servers() []string {
	var found []string
	for _, s := range d.cluster.Servers() {
		if len(found) == infowire.MaxServers {
			break
		}
		found = append(found, address(s.Hosts[0], s.Port))
	}
	return found
}

// address is how clients write a server down: without the port that sshd has anyway.
func address(host string, port int) string {
	if port != settings.Default().SSHPort {
		return net.JoinHostPort(host, strconv.Itoa(port))
	}
	return host
}

// maxScrapes bounds the connections to the metrics, which every user of this server may open.
const maxScrapes = 32

// run runs all that there are listeners for until ctx ends. Either may be nil.
func (d *daemon) run(ctx context.Context, socket, scrapes net.Listener) {
	var tasks sync.WaitGroup
	part := func(name string, run func() error) {
		tasks.Go(func() {
			if err := run(); err != nil {
				d.log.Error("a part of the daemon has failed, the others go on", "part", name, "err", err)
			}
		})
	}
	part("cluster", func() error { d.cluster.Run(ctx); return nil })
	if socket != nil {
		part("control", func() error { return d.control.Run(ctx, socket, d.cluster) })
	}
	if scrapes != nil {
		part("metrics", func() error { return d.metrics.Serve(ctx, serve.Bounded(scrapes, maxScrapes, d.log)) })
	}
	tasks.Wait()
}

// listenControl opens the daemon's socket, to which everybody may connect. What is left of a
// daemon that was killed makes room.
func listenControl(ctx context.Context) (net.Listener, error) {
	if client, err := control.Dial(ctx, control.Path); err == nil {
		client.Close()
		return nil, fmt.Errorf("%s: another daemon answers there", control.Path)
	}
	at := filepath.Dir(control.Path)
	if err := folder.Owned(at, os.Geteuid()); err != nil {
		return nil, fmt.Errorf("%s is not safe for the daemon's socket: %w", at, err)
	}
	if err := os.Remove(control.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", control.Path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(control.Path, 0o666)
}

// makeFolders makes the daemon's folders where systemd has not: for its user, as root.
func makeFolders(user privs.User) error {
	for _, file := range []string{control.Path, control.DrainFile} {
		path := filepath.Dir(file)
		if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		if err := os.Lchown(path, user.UID, user.GID); err != nil {
			return err
		}
		if err := folder.Owned(path, user.UID); err != nil { // one that was there
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
