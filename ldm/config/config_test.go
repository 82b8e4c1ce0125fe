package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"goldm/internal/via"
	"goldm/ldm/wire"
)

var station = Client{Hostname: "station-07", Addresses: []string{"192.0.2.57"}, MACs: []string{"52:54:00:12:34:56"}}

func load(t *testing.T, text string, c Client) *Settings {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ltsp.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load([]string{"/nonexistent/ltsp.conf", path}, c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.Problems {
		s.Problems[i].File = filepath.Base(s.Problems[i].File)
	}
	return s
}

func TestSections(t *testing.T) {
	const text = `
LDM_SERVER=before
[clients]
LDM_SERVER=general
[station-*]
LDM_SERVER=glob
[192.0.2.57]
LDM_SERVER=address
[52:54:00:12:34:56]
LDM_SERVER=mac
[Default]
LDM_SERVER=default
`
	tests := []struct {
		client Client
		want   string
	}{
		{Client{}, "default"},
		{Client{Hostname: "station-99"}, "glob"},
		{Client{Hostname: "STATION-99", Addresses: []string{"192.0.2.57"}}, "address"},
		{station, "mac"},
	}
	for _, tt := range tests {
		if s := load(t, text, tt.client); s.Servers[0] != tt.want {
			t.Errorf("%v: got %s, want %s", tt.client, s.Servers, tt.want)
		}
	}
}

func TestQuoting(t *testing.T) {
	tests := map[string]string{
		`LDM_SESSION=plain`:              "plain",
		`LDM_SESSION = spaced`:           "spaced",
		`LDM_SESSION="two words"`:        "two words",
		`LDM_SESSION='it''s'`:            "its",
		`LDM_SESSION=back\ slash`:        "back slash",
		`LDM_SESSION="a" # comment`:      "a",
		`LDM_SESSION=bare words`:         "bare words",
		`LDM_SESSION='$(reboot) $HOME'`:  "$(reboot) $HOME",
		"LDM_SESSION=\"one\ntwo\"":       "one\ntwo",
		`LDM_SESSION=`:                   "",
		`LDM_SESSION=$(touch /tmp/oops)`: "",
		"LDM_SESSION=`reboot`":           "",
		`LDM_SESSION=$HOME`:              "",
	}
	for text, want := range tests {
		s := load(t, "[clients]\n"+text+"\n", station)
		if s.Session != want {
			t.Errorf("%s: got %q, want %q", text, s.Session, want)
		}
	}
}

func TestServersAndPorts(t *testing.T) {
	s := load(t, "[clients]\nLDM_SERVER='one two:2222,[2001:db8::1]'\nLDM_SSH_PORT=22022\n", station)
	want := []string{"one:22022", "two:2222", "[2001:db8::1]:22022"}
	if diff := cmp.Diff(want, s.Servers); diff != "" || len(s.Problems) != 0 {
		t.Errorf("%s%v", diff, s.Problems)
	}
}

// LTSP's own example has a bare sed command, and real files hold more.
func TestProblemsAreToldAndPassedOver(t *testing.T) {
	s := load(t, strings.Join([]string{
		"[clients]",
		"sed 's/x/y/' -i /etc/x",
		"LDM_SERVR=typo",
		"LDM_SERVER=-oProxyCommand=x",
		"XSERVER=",
		"LDM_THEME=True",
		"LDM_XROOT=perhaps",
		"INCLUDE=nowhere",
		"OTHER_PROGRAM=fine",
		"[unclosed",
		`LDM_SESSION="open`,
		"LDM_LANGUAGE=de_DE.UTF-8",
	}, "\n"), station)
	var got []string
	for _, p := range s.Problems {
		got = append(got, p.String())
	}
	want := []string{
		"ltsp.conf:2: expected NAME=value; this line is skipped",
		"ltsp.conf:3: LDM_SERVR is not a setting; did you mean LDM_SERVER?",
		`ltsp.conf:4: LDM_SERVER: "-oProxyCommand=x": expected a host name or an address`,
		"ltsp.conf:5: XSERVER: expected a command",
		"ltsp.conf:6: LDM_THEME has no effect in this version",
		"ltsp.conf:7: LDM_XROOT: expected true or false",
		"ltsp.conf:8: INCLUDE: there is no section [nowhere]",
		"ltsp.conf:10: expected a section as [name]",
		"ltsp.conf:11: LDM_SESSION: expected a closing quote",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if s.Servers[0] != "server" || s.XServer[0] != "Xorg" || s.Language != "de_DE.UTF-8" {
		t.Errorf("got %v %v %v", s.Servers, s.XServer, s.Language)
	}
}

func TestIncludes(t *testing.T) {
	s := load(t, `
[clients]
INCLUDE="room lab"
LDM_SESSION=own
[room]
LIKE=clients
LDM_SESSION=room
LDM_LANGUAGE=fr_FR.UTF-8
[lab]
LDM_SERVER=lab
`, station)
	if s.Session != "own" || s.Language != "fr_FR.UTF-8" || s.Servers[0] != "lab" {
		t.Errorf("got %q %q %q", s.Session, s.Language, s.Servers)
	}
	if len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Text, "circle") {
		t.Errorf("got %v", s.Problems)
	}
}

func TestAutomaticLogins(t *testing.T) {
	s := load(t, "[clients]\nLDM_AUTOLOGIN=True\nLDM_LOGIN_TIMEOUT=20\nLDM_USER_ALLOW='anna, bert'\n", station)
	if !s.Autologin || s.Username != "station-07" || s.Password != "station-07" || s.LoginTimeout != 20 {
		t.Errorf("got %+v", s)
	}
	if diff := cmp.Diff([]string{"anna", "bert"}, s.Users); diff != "" {
		t.Error(diff)
	}
	s = load(t, "[clients]\nLDM_GUESTLOGIN=y\nLDM_GUEST_SERVER=kiosk\nLDM_USERNAME=guest\nLDM_PASSWORD=' geheim '\nLDM_SSH_PORT=22\n", station)
	if !s.Guest || s.Username != "guest" || s.Password != " geheim " || s.GuestServers[0] != "kiosk:22" {
		t.Errorf("got %+v", s)
	}
	if strings.Contains(s.Values["LDM_PASSWORD"].Text, "geheim") {
		t.Error("the password is among the values to print")
	}
}

func TestSound(t *testing.T) {
	s := load(t, "", station)
	if !s.Sound || !s.Mic || s.SoundDaemon != "auto" || s.Volume != 90 || s.UIDs.First != 30000 || s.UIDs.Last != 39999 {
		t.Errorf("defaults: %+v", s)
	}
	s = load(t, "[clients]\nSOUND=False\nSOUND_DAEMON=PulseAudio\nVOLUME=50%\nMIC=n\nLDM_UID_RANGE=40000-40009\n", station)
	if s.Sound || s.Mic || s.SoundDaemon != "pulseaudio" || s.Volume != 50 || s.UIDs.Last != 40009 || len(s.Problems) != 0 {
		t.Errorf("got %+v", s)
	}
	s = load(t, "[clients]\nSOUND_DAEMON=esd\nVOLUME=101\nMIC=maybe\nLDM_UID_RANGE=0-10\n", station)
	if len(s.Problems) != 4 || s.SoundDaemon != "auto" || s.Volume != 90 || !s.Mic || s.UIDs.First != 30000 {
		t.Errorf("got %+v", s)
	}
}

func TestX11(t *testing.T) {
	for text, tt := range map[string]struct {
		want     via.Way
		problems string
	}{
		"":                                     {via.Auto, ""},
		"LDM_X11=auto":                         {via.Auto, ""},
		"LDM_X11=Accelerated":                  {via.Accelerated, ""},
		"LDM_X11=forwarded\nLDM_DIRECTX=False": {via.Forwarded, ""},
		"LDM_X11=direct":                       {via.Direct, ""},
		"LDM_DIRECTX=True":                     {via.Direct, ""},
		"LDM_DIRECTX=y\nLDM_X11=auto":          {via.Direct, ""},
		"LDM_DIRECTX=y\nLDM_X11=direct":        {via.Direct, ""},
		"LDM_DIRECTX=True\nLDM_X11=forwarded":  {via.Forwarded, "ltsp.conf:2: LDM_DIRECTX: LDM_X11=forwarded counts, and is something else"},
		"LDM_DIRECTX=perhaps":                  {via.Auto, "ltsp.conf:2: LDM_DIRECTX: expected true or false"},
		"LDM_X11=fast":                         {via.Auto, "ltsp.conf:2: LDM_X11: expected auto, accelerated, forwarded or direct"},
		"LDM_X11=":                             {via.Auto, "ltsp.conf:2: LDM_X11: expected auto, accelerated, forwarded or direct"},
	} {
		s := load(t, "[clients]\n"+text+"\n", station)
		if got := fmt.Sprint(s.Problems); s.X11 != tt.want || got != "["+tt.problems+"]" {
			t.Errorf("%q: %v, %s", text, s.X11, got)
		}
	}
}

func TestNoFileIsDefaults(t *testing.T) {
	s, err := Load([]string{"/nonexistent"}, station)
	if err != nil || s.Servers[0] != "server" || s.Values["XSERVER"].Source != "default" {
		t.Fatalf("got %+v, %v", s, err)
	}
}

func TestUnreadableFileIsDefaultsAndAnError(t *testing.T) {
	s, err := Load([]string{t.TempDir()}, station)
	if err == nil || s == nil || s.XServer[0] != "Xorg" {
		t.Fatalf("got %+v, %v", s, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[clients]\nLDM_SERVER=a\nX=\"y\n z\"\n")
	f.Add("X=$(a)\nY=`b`\n[\n]=\n")
	f.Fuzz(func(t *testing.T, text string) {
		sections, _ := parse("f", text)
		lines := strings.Count(text, "\n") + 1
		for _, s := range sections {
			for _, a := range s.assignments {
				if a.line < 1 || a.line > lines {
					t.Fatalf("line %d of %d", a.line, lines)
				}
			}
		}
	})
}

func TestLocalApps(t *testing.T) {
	s := load(t, strings.Join([]string{
		"[clients]",
		"LOCAL_APPS=True",
		`LOCAL_APPS_WHITELIST="firefox /opt/bin/paint"`,
		"LOCAL_APPS_MENU=y",
		"LOCAL_APPS_MENU_ITEMS=firefox-esr.desktop,gimp",
		"LOCAL_APPS_EXTRAMOUNTS=/srv/share/,/srv/media",
		`LOCAL_APPS_URLS="HTTP https://"`,
		"LDM_LOGOUT_ACTION=Halt",
	}, "\n"), station)
	want := Apps{
		On: true, Whitelist: []string{"firefox", "/opt/bin/paint"},
		Menu: true, MenuItems: []string{"firefox-esr", "gimp"},
		Mounts: []string{"/srv/share", "/srv/media"}, Homes: []string{"/home"}, URLs: []string{"http", "https"},
	}
	if diff := cmp.Diff(want, s.Apps); diff != "" || len(s.Problems) != 0 {
		t.Errorf("%s%v", diff, s.Problems)
	}
	if diff := cmp.Diff([]string{"halt"}, s.LogoutActions); diff != "" {
		t.Error(diff)
	}

	s = load(t, strings.Join([]string{
		"LOCAL_APPS=True",
		"LOCAL_APPS_WHITELIST=./firefox",
		"LOCAL_APPS_MENU_ITEMS=apps/gimp.desktop",
		"LOCAL_APPS_EXTRAMOUNTS=/srv/../",
		"LOCAL_APPS_HOME_PREFIXES=home",
		"LOCAL_APPS_URLS=7up",
		"LDM_LOGOUT_ACTION=explode",
	}, "\n"), station)
	if diff := cmp.Diff(Apps{Homes: []string{"/home"}}, s.Apps, cmpopts.EquateEmpty()); diff != "" || len(s.Problems) != 6 {
		t.Errorf("%s%v", diff, s.Problems)
	}
	if diff := cmp.Diff([]string{"halt", "reboot"}, s.LogoutActions); diff != "" {
		t.Error(diff)
	}
	if s := load(t, "LDM_LOGOUT_ACTION=none\n", station); len(s.LogoutActions) != 0 || len(s.Problems) != 0 {
		t.Errorf("got %v, %v", s.LogoutActions, s.Problems)
	}
}

func TestOneSession(t *testing.T) {
	for lines, want := range map[string]string{
		"":                                 "",
		"LDM_LIMIT_ONE_SESSION_PROMPT=yes": "",
		"LDM_LIMIT_ONE_SESSION=True":       wire.EndOthers,
		"LDM_LIMIT_ONE_SESSION=True\nLDM_LIMIT_ONE_SESSION_PROMPT=yes": wire.AskOthers,
	} {
		if got := load(t, "[clients]\n"+lines+"\n", station).OneSession(); got != want {
			t.Errorf("%q: %q, want %q", lines, got, want)
		}
	}
}
