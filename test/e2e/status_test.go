package e2e

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"goldm/internal/testbed"
	seatstatus "goldm/ldm/status"
)

// status is what `ldm status --json` prints.
func (s *station) status() seatstatus.Status {
	s.t.Helper()
	out, err := s.Client.Output(s.t.Context(), "ldm", "status", "--json")
	s.must(err)
	var told seatstatus.Status
	s.must(json.Unmarshal([]byte(out), &told))
	return told
}

// `ldm status` says what the seat does and what it lacks, to root alone, and knows a
// killed ldm from a living one.
func TestStatus(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "SOUND=False")
	s.start()
	// Without cgroups the client works, and says so once.
	if told := s.status(); told.State != "idle" || told.Display != s.display() || told.User != "" ||
		time.Since(told.Since) > time.Hour || len(told.Problems) != 1 || !strings.Contains(told.Problems[0], "No cgroup holds") {
		t.Errorf("at the login screen: %+v", told)
	}
	if n := strings.Count(s.log.String(), "No cgroup holds"); n != 1 {
		t.Errorf("the log says %d times that there are no cgroups", n)
	}
	s.login("anna", password, "icewm-session")
	settle(t, "the session is known", func() bool { return s.status().State == "running" })
	if told := s.status(); told.User != "anna" || told.Server != "server" {
		t.Errorf("in a session: %+v", told)
	}
	out, err := s.Client.Output(t.Context(), "ldm", "status")
	s.must(err)
	for _, line := range []string{"state     running\n", "user      anna\n", "server    server\n", "problem   No cgroup"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in:\n%s", line, out)
		}
	}
	if out, err := s.Client.Command(t.Context(), "_ldm-session", "ldm", "status").CombinedOutput(); err == nil || !strings.Contains(string(out), "run this command as root") {
		t.Errorf("as another user: %s, %v", out, err)
	}
	s.ldm.Process.Kill()
	s.ldm.Wait()
	if out, err := s.Client.Command(t.Context(), "root", "ldm", "status").CombinedOutput(); err == nil || !strings.Contains(string(out), "ldm does not run") {
		t.Errorf("after ldm was killed: %s, %v", out, err)
	}
}

// withCgroups has the kernel's cgroups in the client, as a booted machine has.
func withCgroups(s *station) {
	s.t.Helper()
	if out, err := s.Client.Command(s.t.Context(), "root", "mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup").CombinedOutput(); err != nil {
		s.t.Skipf("no cgroup v2: %s", out)
	}
}

// tree is the directory of ldm's own cgroups.
func (s *station) tree() string {
	s.t.Helper()
	text, err := s.Client.ReadFile(fmt.Sprintf("/proc/%d/cgroup", s.daemon().PID))
	s.must(err)
	for line := range strings.Lines(string(text)) {
		if leaf, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return "/sys/fs/cgroup" + path.Dir(leaf)
		}
	}
	s.t.Fatalf("no cgroup: %s", text)
	return ""
}

// What is in a login's cgroup ends with the login, also where no namespace of the login's
// has it; and so it does after ldm was killed, before the next login screen.
func TestAttackLeftInTheCgroup(t *testing.T) {
	s := newStation(t)
	withCgroups(s)
	s.configure(xvfb, "SOUND=False")
	s.start()
	stragglers := func() []testbed.Process {
		return running(t, s.Client, func(p testbed.Process) bool { return p.Program() == "sleep" && p.State != "Z" })
	}
	straggle := func() string {
		s.login("anna", password, "icewm-session")
		s.waitWindow("icewm")
		login, err := s.Client.Output(t.Context(), "sh", "-c", "echo "+s.tree()+"/login-*")
		s.must(err)
		login = strings.TrimSpace(login)
		_, err = s.Client.Output(t.Context(), "sh", "-c", "trap '' TERM HUP; setsid sleep 1234 >/dev/null 2>&1 & echo $! >"+login+"/cgroup.procs")
		s.must(err)
		settle(t, "the straggler runs", func() bool { return len(stragglers()) == 1 })
		return login
	}
	login := straggle()
	mark, x := s.log.mark(), s.xServer()
	s.logOut()
	s.backAtLogin(mark, x)
	if left := stragglers(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if out, err := s.Client.Command(t.Context(), "root", "ls", "-d", login).CombinedOutput(); err == nil {
		t.Errorf("left: %s", out)
	}
	old := s.tree()
	straggle()
	s.ldm.Process.Kill()
	s.ldm.Wait()
	s.start()
	if left := stragglers(); len(left) > 0 {
		t.Errorf("left by a killed ldm: %v", left)
	}
	now := s.tree()
	s.stop()
	for _, dir := range []string{old, now} {
		if out, err := s.Client.Command(t.Context(), "root", "ls", "-d", dir).CombinedOutput(); err == nil {
			t.Errorf("left: %s", out)
		}
	}
}
