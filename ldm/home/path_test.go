package home

import (
	"strings"
	"testing"
)

func TestCheckHome(t *testing.T) {
	prefixes := []string{"/home", "/srv/users", "relative", "/", "/bad/../prefix", ""}
	for home, want := range map[string]string{
		"/home/anna":                                "/home",
		"/home/school/änna b":                       "/home",
		"/home/..anna":                              "/home",
		"/home/日本/語":                                "/home",
		"/srv/users/a'b\"c$(id)":                    "/srv/users",
		"/home/" + strings.Repeat("a/", 1000) + "a": "/home",

		"":                                     "",
		"/":                                    "",
		"/home":                                "",
		"/home/":                               "",
		"/homes/anna":                          "",
		"/usr/bin":                             "",
		"/srv/anna":                            "",
		"/srv/users":                           "",
		"home/anna":                            "",
		"../../etc":                            "",
		"/home/../etc":                         "",
		"/home/anna/..":                        "",
		"/home/./anna":                         "",
		"/home//anna":                          "",
		"/home/anna/":                          "",
		"//home/anna":                          "",
		"/home/a\x00":                          "",
		"/home/a\nb":                           "",
		"/home/\xff":                           "",
		"/bad/prefix/x":                        "",
		"/relative/x":                          "",
		"/home/a\u0085b":                       "",
		"/home/" + strings.Repeat("a", 10<<10): "",
	} {
		if err := checkHome(home, prefixes); (err == nil) != (want != "") {
			t.Errorf("%.60q: %v", home, err)
		}
	}
}

func TestCheckExtra(t *testing.T) {
	asked := []string{"/srv/share", "/home/anna/music", "/home", "/home/anna", "/opt", "/srv/../etc", "/"}
	for folder, ok := range map[string]bool{
		"/srv/share": true, "/opt": true,
		"/srv/other": false, "/srv/share/x": false, "/home/anna/music": false, "/home": false, "/home/anna": false, "/srv/../etc": false, "/": false, "": false,
	} {
		if err := checkExtra(folder, asked, []string{"/home/anna"}); (err == nil) != ok {
			t.Errorf("%q: got %v", folder, err)
		}
	}
}

func FuzzCheckHome(f *testing.F) {
	for _, seed := range []string{"/home/anna", "/home/../etc", "/home/a\x00", "//home"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, home string) {
		err := checkHome(home, []string{"/home"})
		if err == nil && (!strings.HasPrefix(home, "/home/") || strings.Contains(home+"/", "/../") || strings.ContainsAny(home, "\x00\n")) {
			t.Errorf("%q is taken", home)
		}
	})
}
