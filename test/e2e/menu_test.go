package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"goldm/internal/testbed"
)

// paint is a program of the client that shows in its title what it was started with.
const paint = `#!/bin/sh
exec xterm -T "paint $*" -e sleep 1000
`

const paintEntry = `[Desktop Entry]
Type=Application
Name=Painter
Name[de]=Malprogramm
Exec=paint --as %c %U
Categories=Graphics;
MimeType=x-scheme-handler/https;text/html;
`

// awareEntry is of a program that tells when it has started.
const awareEntry = `[Desktop Entry]
Type=Application
Name=Aware
Exec=gtk3-demo-application
StartupNotify=true
`

// withMenus logs anna in at a client that has a painter, in German.
func (s *station) withMenus(settings ...string) {
	s.t.Helper()
	s.must(s.Client.WriteFile("/usr/local/bin/paint", []byte(paint), 0o755))
	s.must(s.Client.WriteFile("/usr/local/share/applications/paint.desktop", []byte(paintEntry), 0o644))
	s.must(s.Client.WriteFile("/usr/local/share/applications/aware.desktop", []byte(awareEntry), 0o644))
	s.configure(append([]string{xvfb, "LDM_LANGUAGE=de_DE.UTF-8", "LOCAL_APPS=True"}, settings...)...)
	s.start()
	s.login("anna", password, "icewm-session")
	s.waitWindow("icewm")
}

// shell runs a line in anna's session, and fails unless that works.
func (s *station) shell(line string) string {
	s.t.Helper()
	out, err := s.as("sh", "-c", line)
	if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	return out
}

// paints waits until the client's painter shows that title, and checks whose it is.
func (s *station) paints(title string) {
	s.t.Helper()
	s.waitWindow(`"` + title + `"`)
	shown := func(p testbed.Process) bool { return slices.Contains(p.Command, title) }
	others := func(p testbed.Process) bool { return p.UID != firstLocal }
	if here := running(s.t, s.Client, shown); len(here) == 0 || slices.ContainsFunc(here, others) {
		s.t.Errorf("%s on the client: %v", title, here)
	}
	if there := running(s.t, s.Server, shown); len(there) != 0 {
		s.t.Errorf("%s on the server: %v", title, there)
	}
}

// The client's programs are in the menus of a desktop on the server, and links
// open on the client.
func TestMenu(t *testing.T) {
	s := newStation(t)
	s.withMenus("LOCAL_APPS_MENU=True", "LOCAL_APPS_URLS=https")
	menu := s.shell("icewm-menu-fdo")
	for _, entry := range []string{`prog "Malprogramm" `, `prog "XTerm (this computer)" `, `prog "XTerm" `} {
		if strings.Count(menu, entry) != 1 {
			t.Errorf("not one %s in\n%s", entry, menu)
		}
	}
	s.shell("gtk-launch ltsp-local-paint 'two words;'")
	s.paints("paint --as Malprogramm /home/anna/two words;")
	s.shell("xdg-open 'https://example.org/?a=1&b=%20;$HOME'")
	s.paints("paint --as Painter https://example.org/?a=1&b=%20;$HOME")
	s.shell("gio open https://example.org/gio")
	s.paints("paint --as Malprogramm https://example.org/gio")

	// What somebody has chosen for themselves stays chosen.
	s.must(s.Server.WriteFile("/home/anna/.config/mimeapps.list", []byte("[Default Applications]\nx-scheme-handler/https=debian-xterm.desktop\n"), 0o644))
	if out := s.shell("LC_ALL=C gio mime x-scheme-handler/https"); !strings.Contains(out, "debian-xterm.desktop\n") {
		t.Errorf("the user's own choice: %s", out)
	}
}

// What LOCAL_APPS_MENU_ITEMS names takes the place of the server's; the policy
// hides what it would refuse.
func TestMenuItems(t *testing.T) {
	s := newStation(t)
	s.withMenus("LOCAL_APPS_MENU=True", "LOCAL_APPS_MENU_ITEMS=debian-xterm,paint", "LOCAL_APPS_WHITELIST=xterm")
	menu := s.shell("icewm-menu-fdo")
	xterm := regexp.MustCompile(`prog "XTerm" .*`).FindAllString(menu, -1)
	if len(xterm) != 1 || !strings.Contains(xterm[0], "ltsp-localapps -- xterm") || strings.Contains(menu, "Malprogramm") {
		t.Errorf("the menu is\n%s", menu)
	}
}

// Xfce's panel has the client's programs in its menu, and starts them.
func TestMenuOfXfce(t *testing.T) {
	s := newStation(t)
	s.withMenus("LOCAL_APPS_MENU=True", "LOCAL_APPS_MENU_ITEMS=paint")
	s.shell("xfce4-panel >/dev/null 2>&1 &")
	s.waitWindow(`"xfce4-panel"`)
	settle(t, "the panel's menu starts the painter", func() bool {
		s.as("xfce4-popup-applicationsmenu") // which may find the panel not ready yet
		_, err := s.onDisplay("xdotool", "key", "--delay", "300", "Down", "Right", "Return")
		s.must(err)
		out, err := s.onDisplay("xwininfo", "-root", "-tree")
		return err == nil && strings.Contains(out, `"paint --as Malprogramm`)
	})
}

// The server's window manager has the client's windows, panels hear that a program of the
// client has started, and there is one clipboard.
func TestMenuStartup(t *testing.T) {
	s := newStation(t)
	s.withMenus("LOCAL_APPS_MENU=True")
	events := newJournal()
	watch := s.Client.Command(t.Context(), "root", "xev", "-root", "-event", "property")
	watch.Env = append(watch.Env, "DISPLAY="+s.display(), "XAUTHORITY="+xCookies)
	watch.Stdout = events
	s.must(watch.Start())
	settle(t, "events are watched", func() bool {
		s.shell("xprop -root -f WATCHED 8s -set WATCHED yes")
		return strings.Contains(events.String(), "WATCHED")
	})

	s.shell("gtk-launch ltsp-local-aware")
	const begin = "_NET_STARTUP_INFO_BEGIN"
	mark := events.wait(t, 0, begin) // the server's launcher has begun
	events.wait(t, mark, begin)      // the client's program has ended it
	var window string
	settle(t, "the window manager has the window", func() bool {
		for _, id := range regexp.MustCompile(`0x[0-9a-f]+`).FindAllString(s.shell("xprop -root _NET_CLIENT_LIST"), -1) {
			if strings.Contains(s.shell("xprop -id "+id+" WM_CLASS || :"), "gtk3-demo-application") {
				window = id
			}
		}
		return window != ""
	})
	leader := regexp.MustCompile(`group leader: (0x[0-9a-f]+)`).FindStringSubmatch(s.shell("xprop -id " + window + " WM_HINTS"))
	if leader == nil {
		t.Fatal("the window is in no group")
	}
	if id := s.shell("xprop -id " + leader[1] + " _NET_STARTUP_ID"); !strings.Contains(id, "gtk-launch") {
		t.Errorf("the window's group has %s", id)
	}
	if frame := s.shell("xprop -id " + window + " _NET_FRAME_EXTENTS"); !strings.Contains(frame, "=") {
		t.Errorf("the window has no frame: %s", frame)
	}

	s.shell("printf 'from the server' | xclip -i -selection clipboard >/dev/null 2>&1")
	s.shell(`ltsp-localapps -- sh -c 'xclip -o -selection clipboard | tr a-z A-Z | xclip -i -quiet -selection primary'`)
	settle(t, "the server has what the client's program made of the clipboard", func() bool {
		out, err := s.as("xclip", "-o", "-selection", "primary")
		return err == nil && out == "FROM THE SERVER"
	})
}
