package byhand

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
	"goldm/localapps"
	"goldm/session/x11"
)

// script puts a program into a folder.
func script(t *testing.T, folder, name, text string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrograms(t *testing.T) {
	folder := t.TempDir()
	editor := script(t, folder, "editor", "")
	box := script(t, folder, "box", "")
	for link, to := range map[string]string{"edit": editor, "ls": box, "rm": box} {
		if err := os.Symlink(to, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	other := t.TempDir()
	script(t, other, "editor", "")
	if err := os.Symlink(editor, filepath.Join(other, "vi")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder)
	var p programs
	if err := p.Set("editor,ls," + folder + "/rm"); err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]string{
		"editor":                  folder + "/editor",
		folder + "/editor":        folder + "/editor",
		folder + "/x/../ls":       "", // there is no folder x
		folder + "/./ls":          folder + "/ls",
		folder + "/rm":            folder + "/rm",
		"ls":                      folder + "/ls",
		"rm":                      "", // it is allowed by its path only
		"edit":                    "",
		folder + "/edit":          "", // the same file, but another name
		folder + "/box":           "",
		other + "/editor":         "",
		"editor ;id":              "",
		"./editor":                "",
		"../editor":               "",
		"":                        "",
		"/usr/bin/env":            "",
		folder + "/editor\n":      "",
		folder + "/":              "",
		"editor,ls":               "",
		strings.Repeat("x", 5000): "",
	} {
		if got, ok := p.find(word); got != want || ok != (want != "") {
			t.Errorf("%.200q: %q, %v; want %q", word, got, ok, want)
		}
	}
	for _, bad := range []string{"", ",", "editor,", "no-such", "./editor", "a/b", folder, folder + "/no-such"} {
		if err := new(programs).Set(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestApps(t *testing.T) {
	x := xtest.Start(t)
	folder, home := t.TempDir(), t.TempDir()
	script(t, folder, "show", `printf '%s|' "$PWD" "$DESKTOP_STARTUP_ID" "$OWN" "$@" >"`+home+`/shown.new" && mv "`+home+`/shown.new" "`+home+`/shown"`)
	script(t, folder, "exit3", "exit 3")
	script(t, folder, "killed", "kill -9 $$")
	script(t, folder, "sleeper", "exec sleep 60")
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	t.Setenv("OWN", "mine")
	r := &run{log: slog.New(slog.NewTextHandler(t.Output(), nil)), home: home}
	r.display = &x11.Display{Number: x.Number, AuthName: xauth.MITMagicCookie, AuthData: x.Cookie}
	if err := r.localApps.Set("show,exit3,killed"); err != nil {
		t.Fatal(err)
	}
	a := r.startApps(t.Context())
	if a == nil {
		t.Fatal("not started")
	}
	if second := r.startApps(t.Context()); second != nil {
		t.Error("two on one display")
	}
	env := map[string]string{"DISPLAY": x.Display, "XAUTHORITY": x.Authority}
	asker, err := localapps.Dial(t.Context(), func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	defer asker.Close()
	for _, tt := range []struct {
		args []string
		want localapps.State
	}{
		{[]string{"exit3"}, localapps.State{Name: localapps.Exited, Status: 3}},
		{[]string{"killed"}, localapps.State{Name: localapps.Exited, Status: 137}},
		{[]string{"sleeper"}, localapps.State{Name: localapps.Denied, Reason: `"sleeper" is not among the programs that ldm-session was started with.`}},
		{[]string{"show", "a b", "$(id)"}, localapps.State{Name: localapps.Exited}},
	} {
		got, err := asker.Ask(t.Context(), localapps.Request{Args: tt.args, Wait: true, Dir: "/tmp", Startup: "x_TIME1"}, nil)
		if err != nil || got != tt.want {
			t.Errorf("%q: %+v, %v", tt.args, got, err)
		}
	}
	shown, err := os.ReadFile(filepath.Join(home, "shown"))
	if want := home + "|x_TIME1|mine|a b|$(id)|"; err != nil || string(shown) != want {
		t.Errorf("%q, %v; want %q", shown, err, want)
	}
	if got := a.env(); len(got) != 1 || !strings.HasPrefix(got["LTSP_LOCALAPPS_WINDOW"], "0x") {
		t.Errorf("environment %q", got)
	}
	a.close()
	if _, err := asker.Ask(t.Context(), localapps.Request{Args: []string{"show"}}, nil); !errors.Is(err, localapps.ErrNoAgent) {
		t.Errorf("after the end: %v", err)
	}
}

// Off means off: no mailbox, nothing in the environment.
func TestAppsOff(t *testing.T) {
	x := xtest.Start(t)
	r := &run{log: slog.New(slog.DiscardHandler)}
	r.display = &x11.Display{Number: x.Number, AuthName: xauth.MITMagicCookie, AuthData: x.Cookie}
	a := r.startApps(t.Context())
	if a != nil || len(a.env()) > 0 {
		t.Error("on without --local-apps")
	}
	a.close()
}

// There is room for so many programs and no more.
func TestTooManyApps(t *testing.T) {
	folder := t.TempDir()
	script(t, folder, "sleeper", "exec sleep 60")
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	a := &apps{log: slog.New(slog.DiscardHandler), home: folder, slots: make(chan struct{}, 1)}
	if err := a.allowed.Set("sleeper"); err != nil {
		t.Fatal(err)
	}
	states := make(chan localapps.State, 4)
	ask := func() localapps.State {
		a.Run(context.Background(), localapps.Request{Args: []string{"sleeper"}}, func(s localapps.State) { states <- s })
		select {
		case s := <-states:
			return s
		case <-time.After(time.Minute):
			t.Fatal("no answer")
			return localapps.State{}
		}
	}
	first := ask()
	defer func() {
		if sleeper, err := os.FindProcess(first.PID); err == nil {
			sleeper.Kill()
			<-states
		}
	}()
	if second := ask(); first.Name != localapps.Started || second.Name != localapps.Failed {
		t.Errorf("%+v, then %+v", first, second)
	}
}
