package apps

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"goldm/ldm/wire"
)

// tree makes folders of programs: "path" is an executable, "path -> target" a
// link, "path ." a file that is not executable, "path/" a folder.
func tree(t *testing.T, lines ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, target, link := strings.Cut(line, " -> ")
		name, plain := strings.CutSuffix(name, " .")
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		switch {
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		case plain:
			err = os.WriteFile(path, nil, 0o644)
		default:
			err = os.WriteFile(path, nil, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestPolicy(t *testing.T) {
	root := tree(t,
		"lib/firefox/firefox", "usr/bin/firefox -> ../../lib/firefox/firefox", "usr/bin/www -> /etc/alternatives/www",
		"bin -> usr/bin", "usr/bin/busybox", "usr/bin/ls -> busybox", "usr/bin/sh -> busybox",
		"usr/bin/id", "usr/local/bin/gimp", "usr/bin/gimp", "opt/paint/paint", "home/firefox", "home/id -> ../usr/bin/id",
		"usr/bin/notes .", "usr/bin/folder/", "usr/bin/loop -> loop", "usr/bin/gone -> nowhere",
	)
	const no, none = wire.Denied, wire.NotFound
	tests := []struct {
		allowed, request, want string // the path that runs, or a state
	}{
		// Without a list: what has a name.
		{"", "firefox", "/usr/bin/firefox"},
		{"", "gimp", "/usr/local/bin/gimp"},
		{"", "/usr/bin/firefox", "/usr/bin/firefox"},
		{"", "/bin/firefox", "/usr/bin/firefox"},
		{"", "/lib/firefox/firefox", "/usr/bin/firefox"},
		{"", "/bin/../bin/ls", "/usr/bin/ls"},
		{"", "/home/id", "/usr/bin/id"},
		{"", "/usr/bin/gimp", no}, // the name leads elsewhere
		{"", "/home/firefox", no},
		{"", "/opt/paint/paint", no},
		{"", "paint", none},
		{"", "/nonexistent", none},
		{"", "notes", none},
		{"", "folder", none},
		{"", "loop", none},
		{"", "gone", none},
		{"", "..", none},
		{"", "/", none},
		{"", "", no},
		{"", "./firefox", no},
		{"", "bin/firefox", no},
		{"", "../usr/bin/firefox", no},
		{"", "firefox ;id", none},
		{"", "$(id)", none},

		{"firefox", "firefox", "/usr/bin/firefox"},
		{"firefox", "/bin/firefox", "/usr/bin/firefox"},
		{"firefox", "/lib/firefox/firefox", "/usr/bin/firefox"},
		{"firefox", "/home/firefox", no},
		{"firefox", "id", no},
		{"firefox", "/usr/bin/firefox ;id", no},
		{"firefox", "nothing", no}, // what is there is not told
		{"firefox gone", "gone", none},
		{"firefox paint", "/opt/paint/paint", no},

		{"/opt/paint/paint /lib/firefox/firefox", "/opt/paint/paint", "/opt/paint/paint"},
		{"/opt/paint/paint /lib/firefox/firefox", "paint", no}, // it has no name
		{"/opt/paint/paint /lib/firefox/firefox", "firefox", "/lib/firefox/firefox"},
		{"/opt/paint/gone", "/opt/paint/gone", none},

		// One file, several programs.
		{"ls", "ls", "/usr/bin/ls"},
		{"ls", "sh", no},
		{"ls", "busybox", no},
		{"ls", "/usr/bin/busybox", no},
	}
	under := func(words string) []string {
		list := strings.Fields(words)
		for i, word := range list {
			if filepath.IsAbs(word) {
				list[i] = root + word
			}
		}
		return list
	}
	for _, tt := range tests {
		p := Policy{Allowed: under(tt.allowed), Folders: []string{root + "/usr/local/bin", root + "/usr/bin", root + "/bin"}}
		request := tt.request
		if filepath.IsAbs(request) {
			request = root + request
		}
		path, refused := p.find(request)
		got := strings.TrimPrefix(path, root)
		if refused != nil {
			got = refused.state
			if !strings.HasSuffix(refused.reason, ".") {
				t.Errorf("%q: no sentence: %q", tt.request, refused.reason)
			}
		}
		if got != tt.want {
			t.Errorf("%q allows, %q is asked for: got %q, want %q", tt.allowed, tt.request, got, tt.want)
		}
	}
}

// What is named in a sentence cannot spoil it.
func TestRefusalsAreHarmless(t *testing.T) {
	var p Policy
	_, refused := p.find("x\x1b[2J\n" + strings.Repeat("y", 1<<20))
	if refused == nil || len(refused.reason) > 300 || strings.ContainsAny(refused.reason, "\x1b\n") {
		t.Errorf("got %+v", refused)
	}
}

func FuzzFind(f *testing.F) {
	for _, seed := range []string{"true", "/bin/true", "/usr/bin/../bin/id", "a/b", "\x00", "/proc/self/exe", "."} {
		f.Add(seed)
	}
	p := Policy{Allowed: []string{"true"}}
	f.Fuzz(func(t *testing.T, word string) {
		path, refused := p.find(word)
		if refused == nil && path != "/usr/bin/true" && path != "/bin/true" {
			t.Errorf("%q runs %q", word, path)
		}
	})
}
