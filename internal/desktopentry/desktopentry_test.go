package desktopentry

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const editor = `# A comment
Name=before any group
[Desktop Entry]
Type = Application
Name=Editor
Name[de]=Editor für Texte
Name[sr@latin]=Uređivač
Comment=Two\nlines\sand a \\
 Exec=edit %F
NoDisplay=false
Terminal=true
MimeType=text/plain;a\;b;c\\;;
no line at all
=no key
b d=blank in the key
Name[]=no locale
Name[de=open
Exec=edit --new %F

[Desktop Action new]
Name=New
[broken
Name=lost
[Desktop Entry]
Keywords=more;
`

func TestParse(t *testing.T) {
	f, err := Parse(strings.NewReader(strings.ReplaceAll(editor, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := &File{Groups: []*Group{
		{Name: Entry, Lines: []Line{
			{Key: "Type", Value: "Application"},
			{Key: "Name", Value: "Editor"},
			{Key: "Name", Locale: "de", Value: "Editor für Texte"},
			{Key: "Name", Locale: "sr@latin", Value: "Uređivač"},
			{Key: "Comment", Value: `Two\nlines\sand a \\`},
			{Key: "Exec", Value: "edit --new %F"},
			{Key: "NoDisplay", Value: "false"},
			{Key: "Terminal", Value: "true"},
			{Key: "MimeType", Value: `text/plain;a\;b;c\\;;`},
			{Key: "Keywords", Value: "more;"},
		}},
		{Name: "Desktop Action new", Lines: []Line{{Key: "Name", Value: "New"}}},
	}}
	if d := cmp.Diff(want, f); d != "" {
		t.Error(d)
	}
	g := f.Group(Entry)
	if got := g.Get("Comment"); got != "Two\nlines and a \\" {
		t.Errorf("Comment is %q", got)
	}
	if d := cmp.Diff([]string{"text/plain", "a;b", `c\`}, g.List("MimeType")); d != "" {
		t.Error(d)
	}
	if g.Bool("NoDisplay") || !g.Bool("Terminal") || g.Bool("None") || f.Group("none").Get("Name") != "" {
		t.Error("a value that is not there, or not true")
	}
	g.Set("Comment", " x\\\ny")
	if got := g.Get("Comment"); got != " x\\\ny" {
		t.Errorf("Comment is %q after Set", got)
	}
	again, err := Parse(bytes.NewReader(f.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(f, again); d != "" {
		t.Error("read again:", d)
	}
}

func TestBadFiles(t *testing.T) {
	for name, file := range map[string]string{
		"binary":        "[Desktop Entry]\nName=\x00\n",
		"not UTF-8":     "[Desktop Entry]\nName=\xe4\n",
		"an escape":     "[Desktop Entry]\nName=\x1b[31m\n",
		"one long line": "[Desktop Entry]\nName=" + strings.Repeat("x", MaxLine) + "\n",
		"too large":     "[Desktop Entry]\n" + strings.Repeat("Name=x\n", MaxFile/7),
	} {
		if f, err := Parse(strings.NewReader(file)); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestExec(t *testing.T) {
	for _, c := range []struct {
		value string
		words []string
		join  string // where it is not value
	}{
		{"", nil, ""},
		{"gimp-2.10 %U", []string{"gimp-2.10", "%U"}, ""},
		{`"/opt/my desk/start" --with "a \"b\" \$c \\"`, []string{"/opt/my desk/start", "--with", `a "b" $c \`}, ""},
		{`env A=1 x "" --caption=%c 100%%`, []string{"env", "A=1", "x", "", "--caption=%c", "100%%"}, ""},
		{`sh -c 'echo "$HOME" %f'`, []string{"sh", "-c", `echo "$HOME" %f`}, `sh -c "echo \"\$HOME\" "%f`},
		{`a\ b 'it'\''s'`, []string{"a b", "it's"}, `"a b" "it's"`},
		{`x "\d" é`, []string{"x", `\d`, "é"}, `x "\\d" é`},
		{`x %`, []string{"x", "%"}, ""},
	} {
		words, err := SplitExec(c.value)
		if err != nil {
			t.Errorf("%s: %v", c.value, err)
		}
		if d := cmp.Diff(c.words, words); d != "" {
			t.Errorf("%s: %s", c.value, d)
		}
		want := c.join
		if want == "" {
			want = c.value
		}
		if got := JoinExec(words); got != want {
			t.Errorf("%s: joined to %s, want %s", c.value, got, want)
		}
	}
	for _, bad := range []string{`"open`, `'open`, `"a\`, `a\`} {
		if got, err := SplitExec(bad); err == nil {
			t.Errorf("%s: %q, want an error", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(editor))
	f.Add([]byte("[a]\n[b]\n[a]\nx=y\nx[z]= \\s\\\\;\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		parsed, err := Parse(bytes.NewReader(file))
		if err != nil {
			return
		}
		again, err := Parse(bytes.NewReader(parsed.Bytes()))
		if err != nil {
			t.Skip("spelt out, a file may be larger than it was")
		}
		if d := cmp.Diff(parsed, again); d != "" {
			t.Error(d)
		}
		for _, g := range parsed.Groups {
			for _, l := range g.Lines {
				if Unescape(Escape(l.Value)) != l.Value {
					t.Errorf("%q escaped to %q", l.Value, Escape(l.Value))
				}
				g.List(l.Key)
			}
		}
	})
}

func FuzzExec(f *testing.F) {
	f.Add(`sh -c "a \"b\" %f 'c" %% "" \$`)
	f.Fuzz(func(t *testing.T, value string) {
		words, err := SplitExec(value)
		if err != nil {
			return
		}
		again, err := SplitExec(JoinExec(words))
		if err != nil {
			t.Fatalf("%q joined to %q: %v", words, JoinExec(words), err)
		}
		if d := cmp.Diff(words, again); d != "" {
			t.Error(d)
		}
	})
}
