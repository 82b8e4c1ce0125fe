package desktop

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/failure"
)

// shells are the login shells to try: those of the machine.
func shells(t *testing.T) []string {
	var found []string
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "fish", "tcsh"} {
		if _, err := exec.LookPath(shell); err == nil {
			found = append(found, shell)
		}
	}
	if len(found) == 0 {
		t.Fatal("no shell")
	}
	return found
}

// login runs a command line as sshd has the login shell run it.
func login(t *testing.T, shell, line string, env ...string) (stdout string, status int) {
	t.Helper()
	cmd := exec.Command(shell, "-c", line)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatalf("%s: %v", shell, err)
	}
	if t.Failed() || stderr.Len() > 0 {
		t.Logf("%s: %s", shell, stderr.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestArgumentListArrives(t *testing.T) {
	for _, words := range [][]string{
		{"a", "b"},
		{"", " ", "a  b", "-n", "--"},
		{`it's`, `"quoted"`, `back\slash`, `\\`, `'\''`, `\`},
		{"$HOME", "`id`", "$(id)", "${x}", "a;b", "a&b|c>d<e", "(x)", "{a,b}", "*", "~", "#x"},
		{"!", "!!", "hi!there", "'!'", `\!`},
		{"two\nlines", "\n", "ends\n", "\r\t"},
		{"äöü", "日本語", "%s%d", "a=b", "x;id", "-oProxyCommand=id"},
	} {
		for _, shell := range shells(t) {
			line := Command(append([]string{"printf", "<%s>"}, words...))
			want := ""
			for _, word := range words {
				want += "<" + word + ">"
			}
			if got, status := login(t, shell, line); got != want || status != 0 {
				t.Errorf("%s: %q printed %q with status %d; the line is %s", shell, words, got, status, line)
			}
		}
	}
}

func TestStatusArrives(t *testing.T) {
	for _, shell := range shells(t) {
		if _, status := login(t, shell, Command([]string{"sh", "-c", "exit 42"})); status != 42 {
			t.Errorf("%s: argument list: status %d, want 42", shell, status)
		}
	}
	if _, status := login(t, "sh", Command([]string{"x=4; exit ${x}2"})); status != 42 {
		t.Errorf("shell text: status %d, want 42", status)
	}
}

// No line feed may reach the login shell: tcsh takes none between quotes.
func TestOneLine(t *testing.T) {
	line, err := Settings{Session: "xfce", Env: map[string]string{"LTSP_CLIENT": "10.0.0.7"}}.CommandLine()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(line+Command([]string{"a\nb", "c"}), "\n\r") {
		t.Error("line feed in the command line")
	}
}

// server is a folder that stands for a server's files.
type server struct {
	t    *testing.T
	root string
}

func newServer(t *testing.T) *server {
	s := &server{t, t.TempDir()}
	s.write("usr/share/xsessions/xfce.desktop",
		"[Desktop Entry]\nName=Xfce\nExec=startxfce4\nDesktopNames=XFCE;Xfce4;\n[Desktop Action x]\nExec=no\n")
	s.write("usr/share/xsessions/icewm-session.desktop",
		"# comment\n[Other]\nExec=wrong\n[Desktop Entry]\nExec = /usr/bin/icewm-session --debug %U\n")
	s.script("etc/X11/Xsession", `echo "argc=$# arg=$1"; printf "%s\n" "desktop=$DESKTOP_SESSION current=$XDG_CURRENT_DESKTOP" "client=$LTSP_CLIENT user=$LDM_USERNAME lang=$LANG type=$XDG_SESSION_TYPE profile=$PROFILE"; cat`)
	return s
}

func (s *server) write(path, text string) {
	s.t.Helper()
	path = filepath.Join(s.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) script(path, text string) {
	s.write(path, "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(filepath.Join(s.root, path), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// run runs the command line with the server's files in place of this machine's.
func (s *server) run(shell string, settings Settings, env ...string) string {
	s.t.Helper()
	if err := settings.check(); err != nil {
		s.t.Fatal(err)
	}
	script := settings.script()
	for _, dir := range []string{"/usr/local/share/xsessions", "/usr/share/xsessions", "/etc/X11", "/etc/profile", "/etc/gdm", "/etc/lightdm"} {
		script = strings.ReplaceAll(script, " "+dir, " "+s.root+dir)
	}
	out, status := login(s.t, shell, anyShell(script),
		append(env, "HOME="+s.root+"/home", fmt.Sprintf("PATH=%s/bin:%s", s.root, os.Getenv("PATH")))...)
	return fmt.Sprintf("%sstatus=%d", out, status)
}

func TestPlainWay(t *testing.T) {
	const none = "desktop= current=\nclient= user= lang= type=x11 profile=\nstatus=0"
	tests := []struct {
		name     string
		settings Settings
		want     string
	}{
		{"default", Settings{}, "argc=0 arg=\n" + none},
		{"by id", Settings{Session: "xfce"},
			"argc=1 arg=startxfce4\ndesktop=xfce current=XFCE:Xfce4\nclient= user= lang= type=x11 profile=\nstatus=0"},
		{"by Exec", Settings{Session: "startxfce4"},
			"argc=1 arg=startxfce4\ndesktop=xfce current=XFCE:Xfce4\nclient= user= lang= type=x11 profile=\nstatus=0"},
		{"by Exec with a path", Settings{Session: "/usr/bin/icewm-session --debug"},
			"argc=1 arg=/usr/bin/icewm-session --debug\ndesktop=icewm-session current=\nclient= user= lang= type=x11 profile=\nstatus=0"},
		{"a command", Settings{Session: "sleep 1"},
			"argc=1 arg=sleep 1\ndesktop=sleep current=\nclient= user= lang= type=x11 profile=\nstatus=0"},
		{"not there", Settings{Session: "no-such-session"}, "argc=0 arg=\n" + none},
		{"a path that no session has", Settings{Session: "/bin/sleep"}, "argc=0 arg=\n" + none},
		{"out of the folder", Settings{Session: "../xsessions/xfce"}, "argc=0 arg=\n" + none},
		{"environment", Settings{Language: "de_DE.UTF-8", Env: map[string]string{"LTSP_CLIENT": "10.0.0.7", "LDM_USERNAME": `SCHOOL\o'neil $(id)!`}},
			"argc=0 arg=\ndesktop= current=\nclient=10.0.0.7 user=SCHOOL\\o'neil $(id)! lang=de_DE.UTF-8 type=x11 profile=\nstatus=0"},
	}
	for _, tt := range tests {
		for _, shell := range shells(t) {
			t.Run(tt.name+" "+shell, func(t *testing.T) {
				s := newServer(t)
				if d := cmp.Diff(tt.want, s.run(shell, tt.settings)); d != "" {
					t.Error(d)
				}
			})
		}
	}
}

func TestLoginFiles(t *testing.T) {
	for name, profile := range map[string]string{
		"sets a variable": "PROFILE=read; export PROFILE LANG=C",
		"exits":           "export PROFILE=read; exit 3",
		"returns":         "export PROFILE=read; return 1",
		"set -eu":         "export PROFILE=read; set -eu; false",
		"does not parse":  "export PROFILE=read\nif then",
		"reads":           "export PROFILE=read; read answer",
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.write("home/.profile", profile+"\n")
			got := s.run("sh", Settings{Session: "xfce", Language: "fr_FR.UTF-8"})
			want := "argc=1 arg=startxfce4\ndesktop=xfce current=XFCE:Xfce4\nclient= user= lang=fr_FR.UTF-8 type=x11 profile=read\nstatus=0"
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWithoutXsession(t *testing.T) {
	s := newServer(t)
	if err := os.RemoveAll(s.root + "/etc"); err != nil {
		t.Fatal(err)
	}
	s.script("bin/startxfce4", `echo "started $#"`)
	if got, want := s.run("sh", Settings{Session: "xfce"}), "started 0\nstatus=0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.run("sh", Settings{}), "status=127"; got != want {
		t.Errorf("without anything: got %q, want %q", got, want)
	}
	s.script("own/script", `echo "own $1"`)
	if got, want := s.run("sh", Settings{Session: "xfce", XSession: s.root + "/own/script"}), "own startxfce4\nstatus=0"; got != want {
		t.Errorf("LDM_XSESSION: got %q, want %q", got, want)
	}
}

func TestAgent(t *testing.T) {
	s := newServer(t)
	s.script("bin/ltsp-server-agent", `for word; do printf "<%s>" "$word"; done; printf " %s" "$LTSP_CLIENT"; cat`)
	env := map[string]string{"LTSP_CLIENT": "10.0.0.7"}
	for want, settings := range map[string]Settings{
		"<session> 10.0.0.7status=0":                               {Env: env},
		"<session><--session><a b> 10.0.0.7status=0":               {Env: env, Session: "a b"},
		"<session><--session><x><--xsession></x> 10.0.0.7status=0": {Env: env, Session: "x", XSession: "/x"},
		"<session><--session><x><--local-menu> 10.0.0.7status=0":   {Env: env, Session: "x", Menu: true},
	} {
		for _, shell := range shells(t) {
			if got := s.run(shell, settings); got != want {
				t.Errorf("%s: got %q, want %q", shell, got, want)
			}
		}
	}
}

// Programs find the way to the client by display and window, whoever starts them.
func TestLocalApps(t *testing.T) {
	const tell = `printf "%s" "$LTSP_LOCALAPPS"`
	env := map[string]string{"LTSP_LOCALAPPS_WINDOW": "0x200001"}
	plain, agent := newServer(t), newServer(t)
	plain.script("etc/X11/Xsession", tell)
	agent.script("bin/ltsp-server-agent", tell)
	for _, s := range []*server{plain, agent} {
		for _, shell := range shells(t) {
			if got := s.run(shell, Settings{Env: env}, "DISPLAY=localhost:10.0"); got != "localhost:10.0 0x200001status=0" {
				t.Errorf("%s: %q", shell, got)
			}
			if got := s.run(shell, Settings{}, "DISPLAY=localhost:10.0"); got != "status=0" {
				t.Errorf("%s, without programs of the client: %q", shell, got)
			}
		}
	}
	got, _ := login(t, "sh", WithEnv(tell, env), "SHELL=/bin/sh", "DISPLAY=localhost:10.0")
	if got != "localhost:10.0 0x200001" {
		t.Errorf("a command: %q", got)
	}
}

func TestBadSettings(t *testing.T) {
	for name, settings := range map[string]Settings{
		"session with a dash":       {Session: "-x"},
		"session with a quote":      {Session: "a'b"},
		"session with a line feed":  {Session: "a\nb"},
		"session with a backslash":  {Session: `a\b`},
		"session with a command":    {Session: "startxfce4 $(id)"},
		"session with a separator":  {Session: "startxfce4;id"},
		"session of 10 kB":          {Session: strings.Repeat("x", 10<<10)},
		"session in blanks":         {Session: " xfce"},
		"language with a quote":     {Language: "de'"},
		"language with a dash":      {Language: "-de"},
		"relative script":           {XSession: "Xsession"},
		"script with a line feed":   {XSession: "/a\n/b"},
		"variable in small letters": {Env: map[string]string{"path": "x"}},
		"variable with a command":   {Env: map[string]string{"A;id;B": "x"}},
		"value with a line feed":    {Env: map[string]string{"A": "x\ny"}},
		"value with a NUL":          {Env: map[string]string{"A": "x\x00"}},
	} {
		if line, err := settings.CommandLine(); err == nil {
			t.Errorf("%s: accepted: %s", name, line)
		} else if strings.HasPrefix(name, "session") && failure.Of(err) != err {
			t.Errorf("%s: %v is no sentence", name, err)
		}
	}
}

func FuzzCommand(f *testing.F) {
	f.Add("it's", "a\nb")
	f.Add(`\'!`, "$(id)")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.ContainsRune(a+b, 0) {
			t.Skip("no argument list can carry a NUL")
		}
		if got, _ := login(t, "sh", Command([]string{"printf", "<%s>", a, b})); got != "<"+a+"><"+b+">" {
			t.Errorf("%q, %q arrived as %q", a, b, got)
		}
	})
}
