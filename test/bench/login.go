package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"goldm/internal/testbed"
)

// The rows of the table of logins.
const (
	byKey      = ", by key"
	byPassword = ", by password"
)

// measureLogin logs in to a session that is one window.
func (l *lab) measureLogin(ctx context.Context) (string, error) {
	t := table{
		title: "Milliseconds to a session's first window: by key from the command, by ldm-session; by password from the answer to ldm's question, or " +
			"from the command of ssh, which asks no person. OpenSSH runs the program alone, ldm a session with the agent and Xsession. The median, " +
			"the least and the most of " + strconv.Itoa(l.runs) + ".",
		head: []string{"ms", ssh, "ldm-session, ldm", comparison{ours, ssh}.String()},
	}
	s, err := l.startSeat(ctx)
	if err != nil {
		return "", err
	}
	defer s.Close()
	for _, link := range l.or(300*time.Microsecond, 20*time.Millisecond, 50*time.Millisecond) {
		if err := l.shape(link); err != nil {
			return "", err
		}
		took := make(map[string]sample)
		for range l.runs + 1 { // the first is for the caches
			for _, way := range []struct {
				name string
				once func(context.Context) (time.Duration, error)
			}{
				{ssh + byKey, l.timed("ssh", "-Y", target, self+" window")},
				{ours + byKey, l.timed("ldm-session", "--no-sound", "--x11", "forwarded", target, "--", self+" window")},
				{ssh + byPassword, l.sshByPassword},
				{ours + byPassword, s.loginOnce},
			} {
				d, err := way.once(ctx)
				if err != nil {
					return "", fmt.Errorf("%s: %w", way.name, err)
				}
				took[way.name] = append(took[way.name], milliseconds(d))
			}
		}
		for _, how := range []string{byKey, byPassword} {
			theirs, our := took[ssh+how][1:], took[ours+how][1:]
			t.add(link.String()+how, theirs.cell(), our.cell(), ratio(our, theirs))
		}
	}
	return t.String(), nil
}

// timed returns what runs a command of the client until its window is there.
func (l *lab) timed(argv ...string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) { return l.timeWindow(ctx, l.asClient(ctx, argv...)) }
}

func (l *lab) timeWindow(ctx context.Context, c *testbed.Cmd) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var complaint complaints
	c.Stderr = &complaint
	begin := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	_, at, err := l.screen.appeared(ctx)
	if err != nil {
		c.Process.Kill()
		c.Wait()
		return 0, fmt.Errorf("%w: %s", err, complaint.said.String())
	}
	if err := l.endWindow(ctx); err != nil {
		return 0, err
	}
	c.Wait() // its status is that of what was killed
	return at.Sub(begin), l.screen.empty(ctx)
}

// endWindow ends the session's only program.
func (l *lab) endWindow(ctx context.Context) error {
	_, err := l.Server.Output(ctx, "pkill", "-x", "-u", serverUser, self)
	return err
}

func (l *lab) sshByPassword(ctx context.Context) (time.Duration, error) {
	const asker = "/usr/local/bin/bench-askpass"
	if err := l.Client.WriteFile(asker, []byte("#!/bin/sh\necho '"+password+"'\n"), 0o755); err != nil {
		return 0, err
	}
	c := l.asClient(ctx, "ssh", "-Y", "-o", "PreferredAuthentications=keyboard-interactive,password", target, self+" window")
	c.Env = append(c.Env, "SSH_ASKPASS="+asker, "SSH_ASKPASS_REQUIRE=force")
	return l.timeWindow(ctx, c)
}

// loginOnce logs in at the seat and out again.
func (s *seat) loginOnce(ctx context.Context) (time.Duration, error) {
	entered, display, err := s.login(ctx, self+" window")
	if err != nil {
		return 0, err
	}
	defer display.Close()
	old := s.xServer()
	at, err := mapped(display)
	if err != nil {
		return 0, fmt.Errorf("no window: %w: %s", err, s.log.said.String())
	}
	if err := s.endWindow(ctx); err != nil {
		return 0, err
	}
	// A seat that has ended a session restarts its X server.
	return at.Sub(entered), until(ctx, "the login screen is back", func() bool { now := s.xServer(); return now != 0 && now != old })
}

// xServer returns the process id of the seat's X server; 0 for none or more.
func (s *seat) xServer() int {
	all, err := s.Client.Processes()
	if err != nil {
		return 0
	}
	found := 0
	for _, p := range all {
		if p.Program() != "Xvfb" || p.State == "Z" || contains(p.Command, display) {
			continue
		}
		if found != 0 {
			return 0
		}
		found = p.PID
	}
	return found
}
