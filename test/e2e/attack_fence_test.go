package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"goldm/internal/testbed"
	"goldm/ldm"
	"goldm/ldm/greetd"
)

// buildAs builds a program of the tests under another name.
func buildAs(t *testing.T, source, name string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", path, "../"+source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// readable makes the programs of the client such that their users can read them.
func readable(t *testing.T) option {
	t.Helper()
	dir := t.TempDir()
	return func(c *testbed.Config) {
		for i, path := range c.ClientPrograms {
			copied := filepath.Join(dir, filepath.Base(path))
			if out, err := exec.Command("cp", path, copied).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := os.Chmod(copied, 0o755); err != nil {
				t.Fatal(err)
			}
			c.ClientPrograms[i] = copied
		}
	}
}

// spy is a process that looks into all others of its user.
type spy struct {
	user  string
	stdin io.Closer
	lines *bufio.Scanner
	cmd   *testbed.Cmd
}

func (s *station) spy(user string) *spy {
	s.t.Helper()
	c := s.Client.Command(context.WithoutCancel(s.t.Context()), user, "/usr/local/bin/spy")
	stdin, err := c.StdinPipe()
	s.must(err)
	stdout, err := c.StdoutPipe()
	s.must(err)
	s.must(c.Start())
	w := &spy{user: user, stdin: stdin, lines: bufio.NewScanner(stdout), cmd: c}
	if !w.lines.Scan() || w.lines.Text() != "looking" {
		s.t.Fatalf("the spy of %s says %q", user, w.lines.Text())
	}
	return w
}

// end returns what it found: name, number and way of each process.
func (w *spy) end() []string {
	w.stdin.Close()
	var found []string
	for w.lines.Scan() {
		found = append(found, w.lines.Text())
	}
	w.cmd.Wait()
	return found
}

// Processes of the worker's, the probe's and the greeter's own users, which see all of the machine, look into these programs
// while they start, again and again, and never succeed: with programs that their users cannot read, and with such that
// they can.
func TestAttackLookInsideDuringStart(t *testing.T) {
	for name, options := range map[string][]option{"exec-only": nil, "readable": {readable(t)}} {
		t.Run(name, func(t *testing.T) {
			spyProgram := buildAs(t, "spy", "spy", 0o755)
			s := newStation(t, append(options, func(c *testbed.Config) { c.ClientPrograms = append(c.ClientPrograms, spyProgram) })...)
			s.configure(xvfb)
			users := []string{"_ldm-session", "_ldm-probe", "_ldm-greeter"}
			var victims []*testbed.Cmd
			for _, user := range users { // what spies can look into
				victim := s.Client.Command(context.WithoutCancel(t.Context()), user, "sleep", "1000")
				s.must(victim.Start())
				victims = append(victims, victim)
			}
			var spies []*spy
			for _, user := range users {
				spies = append(spies, s.spy(user))
			}
			s.start()
			s.startOften()
			for _, w := range spies {
				s.check(w)
			}
			for _, v := range victims {
				v.Process.Kill()
				v.Wait()
			}
		})
	}
}

// startOften starts workers, and a greeter and a probe anew.
func (s *station) startOften() {
	s.t.Helper()
	conn := s.dial()
	for range 10 {
		expect[*greetd.AuthMessage](s.t, s.call(conn, &greetd.CreateSession{Username: "anna"}))
		expect[*greetd.Success](s.t, s.call(conn, &greetd.CancelSession{}))
	}
	conn.Close()
	for _, program := range []string{"ldm-greeter", "ldm-session"} {
		mark := s.log.mark()
		s.kill(program)
		s.log.wait(s.t, mark, "started process="+map[string]string{"ldm-greeter": "greeter", "ldm-session": "probe"}[program])
	}
	expect[*greetd.Success](s.t, s.authenticate(s.dial(), "anna", password))
}

// check fails where a spy found more than its victim, or not even that.
func (s *station) check(w *spy) {
	s.t.Helper()
	ways := make(map[string]bool)
	for _, line := range w.end() {
		f := strings.Fields(line)
		switch f[0] {
		case "sleep":
			ways[f[len(f)-1]] = true
		case "spy", "goldm-enter": // other spies, on their way
		default:
			s.t.Errorf("%s found: %s", w.user, line)
		}
	}
	if len(ways) < 6 {
		s.t.Errorf("the spy of %s could look into a plain process by %v alone: the test shows nothing", w.user, ways)
	}
}

// A worker and a probe that are in an attacker's hands get nothing, and the log says what they wanted, and for which login.
func TestAttackByWorkerAndProbe(t *testing.T) {
	hostile := buildAs(t, "hostile", "ldm-session", 0o711)
	s := newStation(t, func(c *testbed.Config) { c.ClientPrograms = []string{program("ldm"), program("ldm-greeter"), hostile} })
	s.configure(xvfb)
	s.start()
	expect[*greetd.Error](t, s.call(s.dial(), &greetd.CreateSession{Username: "anna"}))
	for _, process := range []string{"probe", "worker"} {
		for _, call := range []string{"ptrace", "execve", "clone", "unshare", "listen"} {
			settle(t, fmt.Sprintf("the log tells of %s by the %s", call, process), func() bool {
				for line := range strings.Lines(s.log.String()) {
					if strings.Contains(line, "msg=refused") && strings.Contains(line, "process="+process) && strings.Contains(line, "call="+call+" ") {
						return process == "probe" || strings.Contains(line, " login=")
					}
				}
				return false
			})
		}
	}
	said := regexp.MustCompile(`.*msg=says .*write:/tmp/hostile.*`).FindAllString(s.log.String(), -1)
	for _, process := range []string{"process=probe", "process=worker"} {
		at := slices.IndexFunc(said, func(line string) bool { return strings.Contains(line, process) })
		if at < 0 {
			t.Fatalf("%s says nothing: %v", process, said)
		}
		for _, try := range []string{"read:/etc/passwd", "read:/etc/ltsp/ltsp.conf", "write:/tmp/hostile"} {
			if !strings.Contains(strings.ReplaceAll(said[at], `\"`, `"`), `"`+try+`":"EACCES"`) {
				t.Errorf("%s: %s", try, said[at])
			}
		}
	}
	settle(t, "the login screen is there", func() bool { return len(running(t, s.Client, named("ldm-greeter"))) == 1 })
}

// ldm, and whatever it starts, has no capability besides those of its table.
func TestAttackWithCapabilities(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	allowed := uint64(ldm.Capabilities())
	everyone := running(t, s.Client, everything)
	if !slices.ContainsFunc(everyone, named("ldm")) {
		t.Fatalf("ldm is not there: %v", everyone)
	}
	for _, p := range everyone {
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			has := s.capabilities(p, set)
			if has&^allowed != 0 {
				t.Errorf("%v: %s has %#x more", p, set, has&^allowed)
			}
			if p.UID != 0 && p.Program() != "Xvfb" && has != 0 {
				t.Errorf("%v: %s is %#x", p, set, has)
			}
		}
	}
	const module, rawio, netAdmin, sysTime = 1 << 16, 1 << 17, 1 << 12, 1 << 25
	if has := s.capabilities(s.daemon(), "CapBnd"); has&(module|rawio|netAdmin|sysTime) != 0 {
		t.Errorf("ldm's bounding set is %#x", has)
	}
}

func (s *station) capabilities(p testbed.Process, set string) uint64 {
	s.t.Helper()
	status, err := s.Client.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
	s.must(err)
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, set+":\t"); ok {
			number, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			s.must(err)
			return number
		}
	}
	s.t.Fatalf("no %s of %v", set, p)
	return 0
}
