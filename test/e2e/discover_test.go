package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"goldm/ldm/greetd"
)

// With LDM_SERVER_DISCOVER a server of the cluster that is not on the list is offered, and used,
// where its key is known under its own name; another one is not.
func TestDiscovery(t *testing.T) {
	s := newStation(t)
	s.must(s.Server.AddSystemUsers(t.Context(), "_ltsp-agent"))
	address := s.Server.Address().String() // by which the server is another one for the client
	run := func(argv ...string) {
		c := s.Server.Command(context.Background(), "root", argv...)
		c.Stdout, c.Stderr = s.sshd, s.sshd
		s.must(c.Start())
	}
	run("etcd", "--data-dir", "/var/lib/etcd-test")
	for i, host := range []string{"server", address, "stranger.example"} {
		path := fmt.Sprintf("/etc/ltsp/agent%d.conf", i)
		s.must(s.Server.WriteFile(path, fmt.Appendf(nil, "cluster = etcd\nendpoints = http://127.0.0.1:2379\nname = server%d\naddress = %s\nlisten-http = :%d\n", i, host, 9572+i), 0o644))
		serve := []string{"ltsp-server-agent", "serve", "--config", path}
		if i > 0 { // with a folder of its own for the socket, as on another machine
			serve = append([]string{"unshare", "--mount", "sh", "-c", `mkdir -p /run/ltsp-server-agent && mount -t tmpfs -o mode=0755 tmpfs /run/ltsp-server-agent && exec "$@"`, "sh"}, serve...)
		}
		run(serve...)
	}
	offered := func() []string {
		conn := s.dial()
		defer conn.Close()
		return expect[*greetd.Seat](t, s.call(conn, &greetd.Describe{})).Servers
	}
	settle(t, "the servers know each other", func() bool {
		out, err := s.Server.Output(t.Context(), "ltsp-server-agent", "info")
		return err == nil && strings.Count(out, "\nserver ") == 2
	})

	s.configure(xvfb, "LDM_SERVER=server", "LDM_SERVER_DISCOVER=True")
	s.start()
	settle(t, "the login screen offers the other server", func() bool { return slices.Equal(offered(), []string{"server", address}) })
	conn := s.dial()
	response := s.call(conn, &greetd.CreateSession{Username: "anna", Server: address})
	for {
		m, asked := response.(*greetd.AuthMessage)
		if !asked {
			break
		}
		text := ""
		if m.Type == greetd.Secret {
			text = password
		}
		response = s.call(conn, answer(text))
	}
	expect[*greetd.Success](t, response)
	s.log.wait(t, 0, "authenticated by "+address)
	s.log.wait(t, 0, "a server is not used: known_hosts does not have its key under its own name")
}
