package menu

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"goldm/internal/bundle"
	"goldm/internal/desktopentry"
)

// client is a folder that stands for a client's files.
type client struct {
	t    *testing.T
	root string
	log  bytes.Buffer
}

// newClient makes a client with these programs.
func newClient(t *testing.T, programs ...string) *client {
	c := &client{t: t, root: t.TempDir()}
	for _, name := range programs {
		c.write("bin/"+name, "")
		if err := os.Chmod(filepath.Join(c.root, "bin", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *client) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// collect returns what is collected, by path.
func (c *client) collect(cfg Config) map[string]string {
	c.t.Helper()
	cfg.Folders = []string{filepath.Join(c.root, "bin")}
	cfg.DataDirs = []string{filepath.Join(c.root, "local"), filepath.Join(c.root, "share"), filepath.Join(c.root, "none")}
	cfg.ConfigDirs = []string{filepath.Join(c.root, "xdg")}
	packed, err := Collect(cfg, slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		c.t.Fatal(err)
	}
	files, err := bundle.Unpack(packed)
	if err != nil {
		c.t.Fatal(err)
	}
	got := make(map[string]string)
	for _, f := range files {
		got[f.Path] = string(f.Data)
	}
	return got
}

func picture(width, height int) string {
	var b bytes.Buffer
	png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)))
	return b.String()
}

const editor = `[Desktop Entry]
Version=1.5
Type=Application
Name=Editor
Name[de]=Texteditor
GenericName[fr]=Éditeur
Comment=Edit "files"\nof text
Comment[de]=Dateien bearbeiten
Exec=/usr/bin/env "A=1 2" edit --title=%c %i -caption "%k" %m %F
TryExec=edit
Icon=edit
Path=/opt/edit
Terminal=false
StartupNotify=true
StartupWMClass=Edit
DBusActivatable=true
MimeType=text/plain;text/html;bad=type;
Categories=Utility;TextEditor;
Keywords[de]=Text;
OnlyShowIn=XFCE;
X-KDE-SubstituteUID=true
Actions=new;none;dup;dup;

[Desktop Action new]
Name=New
Name[de]=Neu
Icon=new-file
Exec=edit --new "$HOME/a b"

[Desktop Action dup]
Name=No command

[Other]
Exec=other
`

func TestEntry(t *testing.T) {
	c := newClient(t, "edit", "env")
	c.write("share/applications/edit.desktop", strings.Replace(editor, "/usr/bin/env", "env", 1))
	c.write("share/icons/hicolor/48x48/apps/edit.png", picture(48, 48))
	source := filepath.Join(c.root, "share/applications/edit.desktop")
	want := map[string]string{
		"share/applications/ltsp-local-edit.desktop": `[Desktop Entry]
Version=1.5
Type=Application
Name=Editor
Name[de]=Texteditor
GenericName[fr]=Éditeur
Comment=Edit "files"\nof text
Comment[de]=Dateien bearbeiten
StartupNotify=true
StartupWMClass=Edit
MimeType=text/plain;text/html;bad=type;
Categories=Utility;TextEditor;
Keywords[de]=Text;
OnlyShowIn=XFCE;
Icon=ltsp-local-edit
Exec=ltsp-localapps -- env "A=1 2" edit --title=%c --icon edit -caption ` + source + ` %F
TryExec=ltsp-localapps
Actions=new;

[Desktop Action new]
Name=New
Name[de]=Neu
Icon=new-file
Exec=ltsp-localapps -- edit --new "\\$HOME/a b"
`,
		"share/icons/hicolor/48x48/apps/ltsp-local-edit.png": picture(48, 48),
		"share/applications/mimeinfo.cache": `[MIME Cache]
text/html=ltsp-local-edit.desktop;
text/plain=ltsp-local-edit.desktop;
`,
	}
	if d := cmp.Diff(want, c.collect(Config{Menu: true})); d != "" {
		t.Errorf("%s\n%s", d, c.log.String())
	}
	if got := c.collect(Config{}); len(got) > 0 {
		t.Errorf("without a menu: %v", got)
	}
	named := c.collect(Config{Menu: true, Items: []string{"edit", "unknown"}})
	if _, ok := named["share/applications/edit.desktop"]; !ok || len(named) != 3 || !strings.Contains(c.log.String(), "id=unknown") {
		t.Errorf("with a list: %v\n%s", named, c.log.String())
	}
}

// entryOf returns the entry of an id.
func entryOf(t *testing.T, files map[string]string, id string) *desktopentry.Group {
	t.Helper()
	text, ok := files["share/applications/"+id+".desktop"]
	if !ok {
		t.Fatalf("no %s in %v", id, files)
	}
	f, err := desktopentry.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f.Group(desktopentry.Entry)
}

func TestCommands(t *testing.T) {
	for _, tt := range []struct{ exec, more, want string }{
		{"edit", "", "ltsp-localapps -- edit"},
		{"edit %U", "", "ltsp-localapps -- edit %U"},
		{`edit %f`, "Terminal=true", "ltsp-localapps -- xterm -e edit %f"},
		{`edit "two words" 100%% "" 'single "q"'`, "", `ltsp-localapps -- edit "two words" 100%% "" "single \"q\""`},
		{`edit %i x%ix %d%D%n%N%v%m %z %`, "", "ltsp-localapps -- edit xx %%"},
		{`edit %i`, "Icon=a%b", `ltsp-localapps -- edit --icon a%%b`},
		{`edit "a;b" \\$x`, "", `ltsp-localapps -- edit "a;b" "\$x"`},
		{"", "", ""},
		{"%U", "", ""},
		{`edit "open`, "", ""},
		{"not-there", "", ""},
		{"./edit", "", ""},
		{"edit", "TryExec=not-there", ""},
		{"edit", "NoDisplay=true", ""},
		{"edit", "Hidden=true", ""},
		{"edit", "Type=Link", ""},
		{"edit", "Name=", ""},
	} {
		c := newClient(t, "edit", "xterm")
		c.write("share/applications/x.desktop", fmt.Sprintf("[Desktop Entry]\nType=Application\nName=X\nExec=%s\n%s\n", tt.exec, tt.more))
		files := c.collect(Config{Menu: true})
		got := ""
		if len(files) > 0 {
			got = entryOf(t, files, "ltsp-local-x").Get("Exec")
		}
		if got != tt.want {
			t.Errorf("%s %s: %s, want %s\n%s", tt.exec, tt.more, got, tt.want, c.log.String())
		}
	}
}

// names returns the desktop files among what was collected.
func names(files map[string]string) string {
	var found []string
	for _, f := range []string{"a", "b", "c", "kde-b", "terminal", "path"} {
		for _, id := range []string{f, Prefix + f} {
			if _, ok := files["share/applications/"+id+".desktop"]; ok {
				found = append(found, id)
			}
		}
	}
	return strings.Join(found, " ")
}

func TestWhichEntries(t *testing.T) {
	entry := func(exec string) string { return "[Desktop Entry]\nType=Application\nName=X\nExec=" + exec + "\n" }
	c := newClient(t, "a", "b")
	c.write("opt/a.desktop", entry("a --local"))
	c.write("local/x", "")
	if err := os.Symlink("../opt", filepath.Join(c.root, "local/applications")); err != nil {
		t.Fatal(err)
	}
	c.write("share/applications/a.desktop", entry("a"))
	c.write("share/applications/kde/b.desktop", entry("b"))
	c.write("share/applications/terminal.desktop", entry("a")+"Terminal=true\n")
	c.write("share/applications/path.desktop", entry(filepath.Join(c.root, "bin/b")))
	c.write("share/applications/a b.desktop", entry("a"))
	c.write("share/applications/c.desktop", entry("a"))
	c.write("local/applications/c.desktop", "[Desktop Entry]\nHidden=true\n")
	c.write("share/applications/a.list", entry("a"))
	if err := os.Symlink("a", filepath.Join(c.root, "bin/alternative")); err != nil {
		t.Fatal(err)
	}
	c.write("share/applications/b.desktop", entry("alternative")+"NoDisplay=false\n")
	if err := os.Symlink("/dev/zero", filepath.Join(c.root, "share/applications/zero.desktop")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "ltsp-local-a ltsp-local-b ltsp-local-kde-b ltsp-local-path"},
		{Config{Allowed: []string{"b"}}, "ltsp-local-kde-b ltsp-local-path"},
		{Config{Allowed: []string{filepath.Join(c.root, "bin/a"), "none"}}, "ltsp-local-a"},
		{Config{Items: []string{"kde-b", "terminal"}}, "kde-b"},
		{Config{Items: []string{"../a", "", "c"}}, ""},
	} {
		tt.cfg.Menu = true
		if got := names(c.collect(tt.cfg)); got != tt.want {
			t.Errorf("%+v: %s, want %s\n%s", tt.cfg, got, tt.want, c.log.String())
		}
	}
	if got := entryOf(t, c.collect(Config{Menu: true}), "ltsp-local-a").Get("Exec"); got != "ltsp-localapps -- a --local" {
		t.Errorf("a is %s", got)
	}
}

func TestUnchanged(t *testing.T) {
	const text = "[Desktop Entry]\nType=Application\nName=Firefox on the server\nExec=firefox\nX-LTSP-NoChange=true\nNoDisplay=true\n# comment\n"
	c := newClient(t)
	c.write("share/applications/firefox.desktop", text)
	want := map[string]string{"share/applications/firefox.desktop": text}
	if d := cmp.Diff(want, c.collect(Config{Menu: true})); d != "" {
		t.Error(d)
	}
}

func TestIcons(t *testing.T) {
	const svg = "<?xml version=\"1.0\"?>\n<!-- x -->\n<svg/>"
	c := newClient(t, "a")
	c.write("share/icons/hicolor/48x48/apps/both.png", picture(48, 48))
	c.write("share/icons/hicolor/scalable/apps/both.svg", svg)
	c.write("share/icons/hicolor/scalable/apps/vector.svg", svg)
	c.write("share/icons/hicolor/32x32/apps/org.x.small.png", picture(32, 32))
	c.write("local/pixmaps/old.xpm", "/* XPM */ static char *x[] = {};")
	c.write("share/pixmaps/odd.png", picture(50, 40))
	c.write("share/pixmaps/fake.png", svg)
	c.write("share/pixmaps/page.svg", "<html/>")
	c.write("share/pixmaps/huge.svg", svg+strings.Repeat(" ", maxIcon))
	c.write("opt/both.png", picture(16, 16))
	icons := map[string]string{ // to what the entry has, or the file that is sent
		"both":                                "48x48/apps/ltsp-local-both.png",
		"both.png":                            "48x48/apps/ltsp-local-both-2.png",
		"vector":                              "scalable/apps/ltsp-local-vector.svg",
		"org.x.small":                         "32x32/apps/ltsp-local-org.x.small.png",
		"old":                                 "scalable/apps/ltsp-local-old.xpm",
		"odd.png":                             "scalable/apps/ltsp-local-odd.png",
		filepath.Join(c.root, "opt/both.png"): "16x16/apps/ltsp-local-both-3.png",
		"fake":                                "",
		"page":                                "",
		"huge":                                "",
		"../opt/both":                         "",
		"theme-icon":                          "",
		"two words":                           "",
	}
	order := []string{"both", "both.png", filepath.Join(c.root, "opt/both.png"), "vector", "org.x.small", "old", "odd.png", "fake", "page", "huge", "../opt/both", "theme-icon", "two words", "both"}
	for i, icon := range order {
		c.write(fmt.Sprintf("share/applications/a%02d.desktop", i), "[Desktop Entry]\nType=Application\nName=X\nExec=a\nIcon="+icon+"\n")
	}
	files := c.collect(Config{Menu: true})
	for i, icon := range order {
		got, want := entryOf(t, files, fmt.Sprintf("ltsp-local-a%02d", i)).Get("Icon"), icon
		if sent := icons[icon]; sent != "" {
			want = stem(sent)
			if _, ok := files["share/icons/hicolor/"+sent]; !ok {
				t.Errorf("%s: no %s", icon, sent)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", icon, got, want)
		}
	}
	if len(files) != len(order)+7 {
		t.Errorf("%d files", len(files))
	}
}

func TestBounds(t *testing.T) {
	c := newClient(t, "a")
	const svg = "<svg>"
	for i := range 70 {
		name := fmt.Sprintf("a%03d", i)
		c.write("share/applications/"+name+".desktop", "[Desktop Entry]\nType=Application\nName=X\nExec=a\nIcon="+name+"\n"+
			strings.Repeat("#\n", 100<<10))
		c.write("share/icons/hicolor/scalable/apps/"+name+".svg", svg+strings.Repeat(" ", maxIcon-len(svg)))
	}
	for i := range 25 {
		c.write(fmt.Sprintf("share/applications/unchanged%02d.desktop", i), "[Desktop Entry]\nX-LTSP-NoChange=true\n"+strings.Repeat("#\n", 100<<10))
	}
	c.write("share/applications/large.desktop", editor+strings.Repeat("#\n", desktopentry.MaxFile/2))
	size, icons := 0, 0
	files := c.collect(Config{Menu: true})
	for name, data := range files {
		size += len(data)
		if strings.HasPrefix(name, "share/icons/") {
			icons += len(data)
		}
	}
	if icons > maxIcons || icons < maxIcons/2 || size > bundle.MaxSize || size < bundle.MaxSize*3/4 || files["share/applications/ltsp-local-large.desktop"] != "" {
		t.Errorf("%d files of %d bytes, %d of icons", len(files), size, icons)
	}
}

func TestLinks(t *testing.T) {
	browser := func(exec string) string {
		return "[Desktop Entry]\nType=Application\nName=Browser\nName[de]=Netz\nExec=" + exec + "\nMimeType=text/html;x-scheme-handler/http;x-scheme-handler/https;\nActions=new;\n[Desktop Action new]\nName=New\nExec=" + exec + "\n"
	}
	c := newClient(t, "fox", "chrome", "mail", "x-www-browser")
	c.write("share/applications/chrome.desktop", browser("chrome %U"))
	c.write("share/applications/fox.desktop", browser("fox --url %f"))
	c.write("share/applications/gone.desktop", browser("gone %u"))
	c.write("share/applications/mail.desktop", "[Desktop Entry]\nType=Application\nName=Mail\nExec=mail\nNoDisplay=true\nMimeType=x-scheme-handler/mailto;\n")
	c.write("share/applications/mimeapps.list", "[Default Applications]\nx-scheme-handler/http=chrome.desktop\n")
	c.write("xdg/mimeapps.list", "[Default Applications]\nx-scheme-handler/http=none.desktop;x;gone.desktop;fox.desktop;\n")
	files := c.collect(Config{URLs: []string{"http", "https", "mailto", "tel", "../x"}})
	for scheme, exec := range map[string]string{
		"http": "ltsp-localapps -- fox --url %u", "https": "ltsp-localapps -- chrome %U", "mailto": "ltsp-localapps -- mail %u",
	} {
		g := entryOf(t, files, "ltsp-local-url-"+scheme)
		if got := g.Get("Exec"); got != exec {
			t.Errorf("%s: %s, want %s", scheme, got, exec)
		}
		if g.Get("MimeType") != "x-scheme-handler/"+scheme+";" || !g.Bool("NoDisplay") || g.Get("Actions") != "" {
			t.Errorf("%s: %v", scheme, g)
		}
	}
	const lines = `x-scheme-handler/http=ltsp-local-url-http.desktop;
x-scheme-handler/https=ltsp-local-url-https.desktop;
x-scheme-handler/mailto=ltsp-local-url-mailto.desktop;
`
	if d := cmp.Diff("[Default Applications]\n"+lines+"\n[Added Associations]\n"+lines, files["config/mimeapps.list"]); d != "" {
		t.Error(d)
	}
	if len(files) != 4 {
		t.Errorf("%v", files)
	}

	c = newClient(t, "x-www-browser")
	files = c.collect(Config{URLs: []string{"http", "mailto"}})
	if got := entryOf(t, files, "ltsp-local-url-http").Get("Exec"); got != "ltsp-localapps -- x-www-browser %u" || len(files) != 2 {
		t.Errorf("by the alternative: %v", files)
	}
	if files = newClient(t).collect(Config{URLs: []string{"http"}}); len(files) != 0 {
		t.Errorf("without any: %v", files)
	}
}

func FuzzEntry(f *testing.F) {
	f.Add(editor)
	f.Add("[Desktop Entry]\nType=Application\nName=X\nExec=sh -c 'a %f' \"%u\" %k%%\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := desktopentry.Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		c := &collector{log: slog.New(slog.DiscardHandler), icons: make(map[string]string), Config: Config{Folders: []string{"/bin"}}}
		entry, err := c.rewrite(file, "/usr/share/applications/x.desktop")
		if err != nil {
			return
		}
		again, err := desktopentry.Parse(bytes.NewReader(entry.Bytes()))
		if err != nil {
			t.Skip("longer than it was")
		}
		for _, g := range again.Groups {
			words, err := desktopentry.SplitExec(g.Get("Exec"))
			if err != nil || len(words) < 3 || words[0] != Asker || words[1] != "--" {
				t.Errorf("%q, %v of\n%s", words, err, entry.Bytes())
			}
		}
	})
}
