package localuser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func config(t *testing.T) Config {
	t.Helper()
	dir := t.TempDir()
	c := Config{
		Range: Range{First: 1_200_000_000, Last: 1_200_000_003}, RunDir: dir,
		Folders: filepath.Join(dir, "seat0"), Records: filepath.Join(dir, "userdb"),
	}
	if err := os.Mkdir(c.Folders, 0o711); err != nil {
		t.Fatal(err)
	}
	return c
}

func allot(t *testing.T, c Config, login string) *User {
	t.Helper()
	u, err := Allot(t.Context(), c, login)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNames(t *testing.T) {
	const uid = 30000
	for login, want := range map[string]string{
		"anna":                  "anna",
		"Anna.B-7_":             "Anna.B-7_",
		strings.Repeat("a", 31): strings.Repeat("a", 31),
		strings.Repeat("a", 32): "user30000",
		`SCHOOL\anna`:           "user30000",
		"anna@school":           "user30000",
		"12345":                 "user30000",
		"0x10":                  "user30000",
		"-r":                    "user30000",
		"..":                    "user30000",
		"../../etc/passwd":      "user30000",
		"anna bell":             "user30000",
		"ännä":                  "user30000",
		"user30001":             "user30000",
		"user":                  "user30000",
		"users":                 "users",
		"":                      "user30000",
	} {
		if got := chooseName(login, uid, true); got != want {
			t.Errorf("%q: got %q, want %q", login, got, want)
		}
	}
	if got := chooseName("anna", uid, false); got != "user30000" {
		t.Errorf("a name that is not free: got %q", got)
	}
}

func FuzzName(f *testing.F) {
	for _, seed := range []string{"anna", `SCHOOL\anna`, "12345", "a\x00b", "a/b", "a:b", "a\nb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, login string) {
		name := chooseName(login, 30000, true)
		if name == "" || len(name) > maxName || filepath.Base(name) != name || strings.Trim(name, "0123456789") == "" ||
			strings.HasPrefix(name, "-") || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\\:,\"' \t\n\x00") {
			t.Errorf("%q becomes %q", login, name)
		}
	})
}

func TestRanges(t *testing.T) {
	for text, want := range map[string]Range{
		"30000-39999": {30000, 39999}, " 40000 - 40000 ": {40000, 40000},
		"": {}, "30000": {}, "39999-30000": {}, "0-100": {}, "999-2000": {}, "60000-70000": {}, "30000-99999999999": {}, "-1-2": {}, "a-b": {},
	} {
		if got, err := ParseRange(text); got != want || (err == nil) != (want != Range{}) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}

func TestAllotAndRelease(t *testing.T) {
	c := config(t)
	u := allot(t, c, "anna")
	if u.UID != c.Range.First || u.GID != u.UID || u.Name != "anna" {
		t.Fatalf("got %+v", u)
	}
	want := []string{"1200000000.group", "1200000000.user", "anna.group", "anna.user"}
	if got := names(t, c.Records); !slices.Equal(got, want) {
		t.Errorf("records: %v", got)
	}
	text, err := os.ReadFile(filepath.Join(c.Records, "1200000000.user"))
	var record map[string]any
	if err != nil || json.Unmarshal(text, &record) != nil || record["userName"] != "anna" || record["uid"] != 1.2e9 || record["locked"] != true {
		t.Errorf("%v: %s", err, text)
	}
	second := allot(t, c, "anna") // in a second session
	if second.UID != u.UID+1 || second.Name != "user1200000001" {
		t.Errorf("got %+v", second)
	}
	for _, u := range []*User{u, second} {
		if err := u.Release(); err != nil {
			t.Error(err)
		}
		if err := u.Release(); err != nil {
			t.Errorf("a second time: %v", err)
		}
	}
	if left := append(names(t, c.Records), names(t, c.Folders)...); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A number is not given twice, and what the machine knows is not given at all.
func TestNumbers(t *testing.T) {
	c := config(t)
	for i := range 4 {
		u := allot(t, c, "root")
		if u.UID != c.Range.First+i || u.Name != fmt.Sprintf("user%d", u.UID) {
			t.Fatalf("%d: got %+v", i, u)
		}
		if err := u.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if u, err := Allot(t.Context(), c, "anna"); err == nil || !strings.Contains(err.Error(), "used since the last boot") {
		t.Errorf("got %+v, %v", u, err)
	}
	c.Range = Range{First: 65533, Last: 65540} // nobody's among them
	if u := allot(t, c, "anna"); u.UID != 65533 {
		t.Errorf("got %+v", u)
	}
	if u := allot(t, c, "anna"); u.UID != 65535 {
		t.Errorf("got %+v", u)
	}
	if err := os.WriteFile(filepath.Join(c.RunDir, lastFile), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Range = Range{First: 70000, Last: 70000}
	if u := allot(t, c, "anna"); u.UID != 70000 {
		t.Errorf("got %+v", u)
	}
}

func TestSweep(t *testing.T) {
	c := config(t)
	if err := Sweep(Config{Folders: filepath.Join(c.RunDir, "none")}); err != nil {
		t.Error(err)
	}
	allot(t, c, "anna")
	allot(t, c, `SCHOOL\anna`)
	others := map[string]string{"bert.user": "{}", "1200000009.user": "{}"}
	for name, text := range others {
		if err := os.WriteFile(filepath.Join(c.Records, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Killed in the middle: a folder without a name, and a link without its record.
	for _, dir := range []string{"1200000007", "1200000008", "greeter"} {
		if err := os.Mkdir(filepath.Join(c.Folders, dir), 0o711); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(c.Folders, "1200000008", nameFile), []byte("carla"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("carla.user", filepath.Join(c.Records, "1200000008.user")); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(c); err != nil {
		t.Error(err)
	}
	if got := names(t, c.Records); !slices.Equal(got, []string{"1200000009.user", "bert.user"}) {
		t.Errorf("records left: %v", got)
	}
	if got := names(t, c.Folders); !slices.Equal(got, []string{"greeter"}) {
		t.Errorf("folders left: %v", got)
	}
}

// Nobody's record is overwritten, nor removed.
func TestAnothersRecord(t *testing.T) {
	c := config(t)
	if err := os.Mkdir(c.Records, 0o755); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(c.Records, "anna.group")
	if err := os.WriteFile(theirs, []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	u := allot(t, c, "anna")
	if u.Name != "user1200000000" {
		t.Errorf("got %+v", u)
	}
	if err := u.Release(); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(theirs); string(text) != "theirs" || len(names(t, c.Records)) != 1 {
		t.Errorf("got %s, %v, %v", text, err, names(t, c.Records))
	}
}

func TestSetHome(t *testing.T) {
	c := config(t)
	u := allot(t, c, "anna")
	for path, fine := range map[string]bool{
		"/home/anna": true, "/home/SCHOOL/änna bell": true,
		"": false, "home/anna": false, "/home/../root": false, "/home/a:b": false, "/home/a\nb": false,
	} {
		if err := u.SetHome(path); (err == nil) != fine {
			t.Errorf("%q: %v", path, err)
		}
		text, err := os.ReadFile(filepath.Join(c.Records, "1200000000.user"))
		var record struct{ HomeDirectory string }
		if err != nil || json.Unmarshal(text, &record) != nil || (record.HomeDirectory == path) != fine {
			t.Errorf("%q: %v: %s", path, err, text)
		}
	}
	if got := len(names(t, c.Records)); got != 4 {
		t.Errorf("%d files", got)
	}
	if err := u.Release(); err != nil || len(names(t, c.Records)) != 0 {
		t.Errorf("left: %v, %v", names(t, c.Records), err)
	}
}
