package worker_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"goldm/internal/agentwire"
	"goldm/ldm/wire"
	"goldm/session/internal/sshtest"
)

// today is a moment of this day, unless it is just turning.
var today = time.Now().Truncate(time.Minute)

var elsewhere = []agentwire.Session{{Client: "station-07", Server: "one", Began: today}}

// say is an agent that tells of other sessions, after what a user's shell prints.
func say(list []agentwire.Session) func(*sshtest.Exec) {
	return func(e *sshtest.Exec) {
		io.WriteString(e, "Welcome!\n")
		agentwire.Write(e, &agentwire.Others{List: list})
		e.Exit(0)
	}
}

// startOthers starts a server whose agent tells of other sessions as given, and
// returns it with the command lines of the desktops that are asked for.
func startOthers(t *testing.T, agent func(*sshtest.Exec)) (*sshtest.Server, <-chan string) {
	desktops := make(chan string, 1)
	return sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
		if strings.Contains(e.Line, "others") {
			agent(e)
			return
		}
		desktops <- e.Line
		e.Exit(0)
	}}), desktops
}

func TestOneSession(t *testing.T) {
	question := "You are logged in at station-07 since " + today.Format("15:04") + ".\nEnd that session? Type yes or no: "
	stays := "You stay logged in at station-07 since " + today.Format("15:04") + ". Log out there first, or let that session be ended."
	missing := func(e *sshtest.Exec) { e.Exit(127) }
	for name, tt := range map[string]struct {
		mode     string
		agent    func(*sshtest.Exec)
		answers  []string // to the question
		mode2    string   // what the agent is told; empty where no desktop is asked for
		complain string   // in the log
	}{
		"no limit":      {"", nil, nil, "none", ""},
		"ended unasked": {wire.EndOthers, nil, nil, "end", ""},
		"none":          {wire.AskOthers, say(nil), nil, "refuse", ""},
		"yes":           {wire.AskOthers, say(elsewhere), []string{" Yes"}, "end", ""},
		"unclear, yes":  {wire.AskOthers, say(elsewhere), []string{"what?", "y"}, "end", ""},
		"no":            {wire.AskOthers, say(elsewhere), []string{"no"}, "", ""},
		"nothing":       {wire.AskOthers, say(elsewhere), []string{""}, "", ""},
		"unclear":       {wire.AskOthers, say(elsewhere), []string{"a", "b", "c"}, "", ""},
		"no agent":      {wire.AskOthers, missing, nil, "refuse", "other sessions of the user are not known here"},
		"odd agent":     {wire.AskOthers, func(e *sshtest.Exec) { io.WriteString(e, strings.Repeat("x", 1<<20)); e.Exit(0) }, nil, "refuse", "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			server, desktops := startOthers(t, tt.agent)
			d := start(t)
			m := login(t, server)
			m.OneSession = tt.mode
			d.send(m)
			d.want(password)
			d.answer(sshtest.Password)
			for _, answer := range tt.answers {
				d.want(&wire.Question{Kind: wire.Visible, Text: question})
				d.answer(answer)
			}
			if tt.mode2 == "" {
				d.want(&wire.Failed{Refused: true, Sentence: stays})
				d.exits()
				return
			}
			d.want(&wire.Authenticated{Server: m.Servers[0]})
			d.begin(&wire.Start{})
			d.want(&wire.Started{})
			line := <-desktops
			if told := strings.Contains(line, "LTSP_ONE_SESSION='\\''"+tt.mode2); told != (tt.mode2 != "none") {
				t.Errorf("want %q in %s", tt.mode2, line)
			}
			if !strings.Contains(d.log.String(), tt.complain) {
				t.Errorf("no %q in the log:\n%s", tt.complain, d.log)
			}
		})
	}
}

// What a hostile agent says is bounded, and made harmless.
func TestOddOthers(t *testing.T) {
	server, _ := startOthers(t, say([]agentwire.Session{
		{Client: "a\x1b[2Jb\nc" + strings.Repeat("x", 1000), Began: time.Date(1, 2, 3, 4, 5, 6, 0, time.UTC)},
		{Server: "two"},
	}))
	d := start(t)
	m := login(t, server)
	m.OneSession = wire.AskOthers
	d.send(m)
	d.want(password)
	d.answer(sshtest.Password)
	want := "You are logged in at ab c" + strings.Repeat("x", 58) + "… since Sat 3 February, 04:05 and on the server two.\nEnd these sessions? Type yes or no: "
	if q, ok := d.next().(*wire.Question); !ok || q.Text != want {
		t.Errorf("got  %+v\nwant %q", q, want)
	}
}

// A server that goes while the question is open.
func TestLostWhileAsked(t *testing.T) {
	server, _ := startOthers(t, say(elsewhere))
	d := start(t)
	m := login(t, server)
	m.OneSession = wire.AskOthers
	d.send(m)
	d.want(password)
	d.answer(sshtest.Password)
	if _, ok := d.next().(*wire.Question); !ok {
		t.Fatal("no question")
	}
	server.Cut()
	d.want(&wire.Failed{Sentence: "The connection to the server " + server.Address() + " was lost. Log in again."})
	d.exits()
}

// The screen says why a session was ended, or did not begin.
func TestUnwelcome(t *testing.T) {
	for name, tt := range map[string]struct {
		last     agentwire.Message
		status   uint32
		sentence string
	}{
		"ended":  {&agentwire.Ended{Status: 143, From: "station-12"}, 143, "Your session was ended from station-12, where you logged in."},
		"refuse": {&agentwire.Others{List: elsewhere}, 75, "You have logged in at station-07 since " + today.Format("15:04") + " meanwhile, and can have one session only. Log in again."},
	} {
		t.Run(name, func(t *testing.T) {
			server := sshtest.Start(t, sshtest.Config{Exec: func(e *sshtest.Exec) {
				agentwire.Write(e, tt.last)
				e.Exit(tt.status)
			}})
			d := start(t)
			d.authenticate(login(t, server))
			d.begin(&wire.Start{})
			d.want(&wire.Started{})
			d.want(&wire.Ended{Sentence: tt.sentence})
			d.exits()
		})
	}
}
