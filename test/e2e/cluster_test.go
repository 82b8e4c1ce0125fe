package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"goldm/internal/infowire"
	"goldm/internal/testbed"
)

// pair is two servers of one cluster: the second machine is no client here.
type pair struct {
	*testbed.Bed
	t    *testing.T
	etcd *testbed.Cmd
}

// metricsPort is where the pair's daemons answer Prometheus.
const metricsPort = 9573

// newPair brings up two servers with the user anna, whose daemons do not run yet, and etcd
// on the first.
func newPair(t *testing.T) *pair {
	t.Helper()
	t.Parallel()
	agent := []string{program("ltsp-server-agent"), program("ltsp-session-agent")}
	p := &pair{Bed: testbed.Start(t, testbed.Config{ServerPrograms: agent, ClientPrograms: agent}), t: t}
	for _, m := range p.machines() {
		p.must(m.AddSystemUsers(t.Context(), "_ltsp-agent"))
		p.must(m.AddUser(t.Context(), "anna", password))
		p.must(m.WriteFile("/etc/ltsp/server-agent.conf", fmt.Appendf(nil,
			"cluster = etcd\nendpoints = http://%s:2379\nlease = 20\nmetrics = %d\n", p.Server.Address(), metricsPort), 0o644))
		p.must(m.WriteFile("/usr/local/bin/forever", []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755))
	}
	p.startEtcd()
	return p
}

func (p *pair) machines() []*testbed.Machine { return []*testbed.Machine{p.Server, p.Client} }

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) startEtcd() {
	p.t.Helper()
	url := fmt.Sprintf("http://%s:2379", p.Server.Address())
	p.etcd = p.run(p.Server, nil, "etcd", "--data-dir", "/var/lib/etcd-test", "--listen-client-urls", url, "--advertise-client-urls", url)
}

// run starts a command of root, whose output is shown where the test fails.
func (p *pair) run(m *testbed.Machine, env []string, argv ...string) *testbed.Cmd {
	p.t.Helper()
	said := newJournal()
	c := m.Command(context.Background(), "root", argv...)
	c.Env = append(c.Env, env...)
	c.Stdout, c.Stderr = said, said
	p.must(c.Start())
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("%s on %s:\n%s", argv[0], m.Name, said)
		}
	})
	return c
}

func (p *pair) serve(m *testbed.Machine) *testbed.Cmd {
	return p.run(m, nil, "ltsp-server-agent", "serve")
}

// says waits until a command of root's prints something.
func (p *pair) says(m *testbed.Machine, want string, argv ...string) {
	p.t.Helper()
	settle(p.t, fmt.Sprintf("%v on %s prints %q", argv, m.Name, want), func() bool {
		out, err := m.Output(p.t.Context(), argv...)
		return err == nil && strings.Contains(out, want)
	})
}

// together starts both daemons and waits until they know each other.
func (p *pair) together() {
	p.t.Helper()
	for _, m := range p.machines() {
		p.serve(m)
	}
	p.says(p.Server, "client: client, rating", "ltsp-server-agent", "info")
	p.says(p.Client, "server: server, rating", "ltsp-server-agent", "info")
}

// login is one session of anna.
type login struct {
	*testbed.Cmd
	said *journal
	stay io.Closer // the client; closed, it has gone
}

// login begins a session, on the terms of LTSP_ONE_SESSION.
func (p *pair) login(m *testbed.Machine, client, mode string) *login {
	p.t.Helper()
	c := m.Command(context.Background(), "anna", "ltsp-server-agent", "session", "--xsession", "/usr/local/bin/forever")
	c.Env = append(c.Env, "DISPLAY=:9", "LTSP_CLIENT_HOSTNAME="+client)
	if mode != "" {
		c.Env = append(c.Env, "LTSP_ONE_SESSION="+mode)
	}
	l := &login{Cmd: c, said: newJournal()}
	c.Stdout, c.Stderr = l.said, l.said
	stay, err := c.StdinPipe()
	p.must(err)
	l.stay = stay
	p.must(c.Start())
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("session from %s on %s:\n%s", client, m.Name, l.said)
		}
	})
	return l
}

// begins waits until the desktop runs.
func (l *login) begins(t *testing.T) {
	t.Helper()
	l.said.wait(t, 0, `{"type":"started"}`)
}

// scrape returns a number of the metrics of a machine.
func (p *pair) scrape(m *testbed.Machine, name string) string {
	p.t.Helper()
	body := p.get(m, fmt.Sprintf("http://127.0.0.1:%d/metrics", metricsPort))
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "missing"
}

// get asks as a program on the machine would.
func (p *pair) get(m *testbed.Machine, url string) string {
	p.t.Helper()
	web := http.Client{Transport: &http.Transport{DialContext: m.Dial, DisableKeepAlives: true}}
	answer, err := web.Get(url)
	p.must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	p.must(err)
	return string(body)
}

// One session a user holds across two servers, whatever happens to daemons and etcd.
func TestClusterOneSession(t *testing.T) {
	p := newPair(t)
	p.together()
	if out, err := p.Client.Output(t.Context(), "ltsp-server-agent", "info"); err != nil || strings.Contains(out, "rating unknown") {
		t.Errorf("before any client has asked: %v\n%s", err, out)
	}
	first := p.login(p.Server, "station-07", "refuse")
	first.begins(t)
	p.says(p.Client, "station-07", "ltsp-server-agent", "sessions")

	// On the other server it is in the way, and told to who asks.
	out, err := p.Client.Command(t.Context(), "anna", "ltsp-server-agent", "others").Output()
	if err != nil || !strings.Contains(string(out), `"client":"station-07","server":"server"`) {
		t.Errorf("others: %s, %v", out, err)
	}
	refused := p.login(p.Client, "station-08", "refuse")
	refused.said.wait(t, 0, `{"type":"others","list":[{"client":"station-07"`)
	refused.Wait()
	if got := refused.ProcessState.ExitCode(); got != 75 {
		t.Errorf("the second session exits with %d", got)
	}

	// A daemon that is killed and started anew knows its sessions again.
	daemons := running(t, p.Server, func(q testbed.Process) bool { return slices.Contains(q.Command, "serve") })
	if len(daemons) != 1 || daemons[0].UID == 0 {
		t.Fatalf("daemons: %v", daemons)
	}
	_, err = p.Server.Output(t.Context(), "kill", "-KILL", fmt.Sprint(daemons[0].PID))
	p.must(err)
	p.serve(p.Server)
	p.says(p.Server, "in the cluster since", "ltsp-server-agent", "info")
	p.says(p.Client, "station-07", "ltsp-server-agent", "sessions")

	// Ended for another one, on the other server.
	second := p.login(p.Client, "station-08", "end")
	second.begins(t)
	first.said.wait(t, 0, `"from":"station-08"`)
	p.says(p.Server, "station-08", "ltsp-server-agent", "sessions")
	if out, _ := p.Server.Output(t.Context(), "ltsp-server-agent", "sessions"); strings.Contains(out, "station-07") {
		t.Errorf("the first is still there:\n%s", out)
	}

	// Without etcd logins go on, and who asks is told.
	p.etcd.Process.Kill()
	p.etcd.Wait()
	p.says(p.Server, "cluster unreachable since", "ltsp-server-agent", "info")
	third := p.login(p.Server, "station-09", "end")
	third.begins(t)
	if got := p.scrape(p.Server, "ltsp_cluster_reachable"); got != "0" {
		t.Errorf("ltsp_cluster_reachable is %s", got)
	}
	p.startEtcd()
	p.says(p.Client, "station-09", "ltsp-server-agent", "sessions")
}

// Drained: no new logins, and all hear of it.
func TestDrain(t *testing.T) {
	p := newPair(t)
	p.together()
	stays := p.login(p.Server, "station-07", "")
	stays.begins(t)
	if out, err := p.Server.Command(t.Context(), "anna", "ltsp-server-agent", "drain").CombinedOutput(); err == nil || !strings.Contains(string(out), "only root may do that") {
		t.Errorf("anna drains: %s, %v", out, err)
	}
	_, err := p.Server.Output(t.Context(), "ltsp-server-agent", "drain")
	p.must(err)
	turnedAway := func() {
		t.Helper()
		l := p.login(p.Server, "station-08", "")
		l.said.wait(t, 0, `{"type":"drained"}`)
		l.Wait()
	}
	turnedAway()

	// A second daemon on the machine is none of the cluster's.
	second, said := p.Server.Command(t.Context(), "root", "ltsp-server-agent", "serve", "--listen-http", ":9574"), newJournal()
	second.Stderr = said
	p.must(second.Start())
	said.wait(t, 0, "no cluster: this daemon stays out of it")
	p.must(second.Process.Kill())
	second.Wait()
	settle(t, "clients are told, and of the other server", func() bool {
		info, err := infowire.Decode([]byte(p.get(p.Server, "http://127.0.0.1:9572/v1/info")))
		return err == nil && info.Drained && slices.Equal(info.Servers, []string{"client"})
	})
	settle(t, "so is Prometheus", func() bool {
		return p.scrape(p.Server, "ltsp_drained") == "1" && p.scrape(p.Server, `ltsp_logins_total{result="refused"}`) == "1" &&
			p.scrape(p.Server, `ltsp_logins_total{result="started"}`) == "1" && p.scrape(p.Server, "ltsp_sessions") == "1"
	})
	p.says(p.Client, "1 sessions, drained", "ltsp-server-agent", "info")

	// It outlives the daemon, in whose absence it holds too.
	daemon := running(t, p.Server, func(q testbed.Process) bool { return slices.Contains(q.Command, "serve") })[0]
	_, err = p.Server.Output(t.Context(), "kill", "-TERM", fmt.Sprint(daemon.PID))
	p.must(err)
	settle(t, "the daemon has ended", func() bool {
		return len(running(t, p.Server, func(q testbed.Process) bool { return slices.Contains(q.Command, "serve") })) == 0
	})
	turnedAway()
	p.serve(p.Server)
	p.says(p.Server, "drained     yes", "ltsp-server-agent", "info")
	_, err = p.Server.Output(t.Context(), "ltsp-server-agent", "undrain")
	p.must(err)
	p.login(p.Server, "station-08", "").begins(t)
	var list []struct{ ID, User, Client, Server string }
	settle(t, "the other server lists both", func() bool {
		out, err := p.Client.Output(t.Context(), "ltsp-server-agent", "sessions", "--json")
		p.must(err)
		p.must(json.Unmarshal([]byte(out), &list))
		return len(list) == 2 && list[0].Client == "station-07" && list[1].Client == "station-08" && list[1].User == "anna" && list[1].Server == "server"
	})
	if out, err := p.Client.Command(t.Context(), "nobody", "ltsp-server-agent", "end", list[0].ID).CombinedOutput(); err == nil || !strings.Contains(string(out), "no session") {
		t.Errorf("nobody ends a session: %s, %v", out, err)
	}
	_, err = p.Client.Output(t.Context(), "ltsp-server-agent", "end", list[0].ID)
	p.must(err)
	stays.said.wait(t, 0, `{"type":"ended"`)
}
