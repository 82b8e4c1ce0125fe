package e2e

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"goldm/internal/testbed"
	"goldm/internal/xauth"
)

// Passwords and cookies are in no log, argv, environment or file but the one
// Xauthority file that the X server itself reads.
func TestSecretsStaySecret(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb, "LDM_LOGLEVEL=debug")
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")

	entries, err := s.Client.ReadFile("/run/ldm/seat0/xserver.auth")
	s.must(err)
	cookies, err := xauth.Read(bytes.NewReader(entries))
	if err != nil || len(cookies) != 1 {
		t.Fatalf("%v, %v", cookies, err)
	}
	secrets := map[string]string{
		"password":      password,
		"cookie":        string(cookies[0].Data),
		"cookie in hex": hex.EncodeToString(cookies[0].Data),
	}
	for name, secret := range secrets {
		for where, text := range map[string]string{"ldm's log": s.log.String(), "sshd's log": s.sshd.String()} {
			if strings.Contains(text, secret) {
				t.Errorf("%s in %s", name, where)
			}
		}
		for _, m := range []*testbed.Machine{s.Client, s.Server} {
			s.noProcessShows(m, name, secret)
			s.noFileHolds(m, name, secret)
		}
	}
	info, err := s.Client.Stat("/run/ldm/seat0/xserver.auth")
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("xserver.auth: %v, %v", info, err)
	}
}

func (s *station) noProcessShows(m *testbed.Machine, name, secret string) {
	s.t.Helper()
	for _, p := range running(s.t, m, everything) {
		environ, err := m.Environ(p.PID)
		if err != nil {
			continue // ended meanwhile
		}
		if strings.Contains(strings.Join(append(environ, p.Command...), "\n"), secret) {
			s.t.Errorf("%s shows in %v on %s", name, p, m.Name)
		}
	}
}

// noFileHolds searches with the pattern on standard input, so as not to find itself.
func (s *station) noFileHolds(m *testbed.Machine, name, secret string) {
	s.t.Helper()
	c := m.Command(s.t.Context(), "root", "grep", "-rlaF", "-f", "-",
		"--exclude=xserver.auth", "/run", "/tmp", "/var/log", "/var/tmp", "/var/lib/xkb", "/home", "/root", "/etc", "/dev/shm")
	c.Stdin = strings.NewReader(secret + "\n")
	out, err := c.Output()
	if status(err) != 1 { // grep(1): nothing found
		s.t.Errorf("%s on %s in: %s (%v)", name, m.Name, out, err)
	}
}

// A process of the worker's own user cannot look into it, nor into the greeter.
func TestWorkerAndGreeterAreOpaque(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.start()
	settle(t, "the greeter runs", func() bool { return len(running(t, s.Client, named("ldm-greeter"))) == 1 })
	s.opaque("_ldm-greeter", running(t, s.Client, named("ldm-greeter"))[0])
	s.login("anna", password, "icewm-session")
	s.opaque("_ldm-session", running(t, s.Client, s.worker)[0])
}

func (s *station) opaque(user string, p testbed.Process) {
	s.t.Helper()
	for _, file := range []string{"environ", "mem", "fd"} {
		path := "/proc/" + strconv.Itoa(p.PID) + "/" + file
		if out, err := s.Client.Command(s.t.Context(), user, "head", "-c", "1", path).CombinedOutput(); err == nil || !strings.Contains(string(out), "ermission denied") {
			s.t.Errorf("%s of %v: %v, %s", file, p, err, out)
		}
	}
	status, err := s.Client.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/status")
	s.must(err)
	own := strconv.Itoa(s.gid(user))
	for _, want := range []string{
		"NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
		"Groups:\t" + own + " \n",
	} {
		if !bytes.Contains(status, []byte(want)) {
			s.t.Errorf("%v has no %q", p, want)
		}
	}
	if bytes.Contains(status, []byte("Gid:\t"+own+"\t")) {
		s.t.Errorf("%v shares its group with others of its user", p)
	}
}

// What ldm was started with is not handed on: its children have their own
// descriptors and no others.
func TestChildrenInheritNothing(t *testing.T) {
	s := newStation(t)
	s.configure(xvfb)
	s.ldm = s.Client.Command(context.WithoutCancel(t.Context()), "root", "/bin/sh", "-c", "exec ldm 7</etc/shadow 8</etc/passwd")
	s.ldm.Stderr = s.log
	s.must(s.ldm.Start())
	s.log.wait(t, 0, greeterUp)
	s.login("anna", password, "icewm-session")
	children := running(t, s.Client, func(p testbed.Process) bool { return p.PPID == s.daemon().PID })
	if len(children) < 2 { // the X server and the worker; sound may be up already
		t.Fatalf("children: %v", children)
	}
	for _, p := range children {
		out, err := s.Client.Output(t.Context(), "ls", "-l", "/proc/"+strconv.Itoa(p.PID)+"/fd")
		s.must(err)
		if strings.Contains(out, "/etc/") {
			t.Errorf("%v has %s", p, out)
		}
	}
}
