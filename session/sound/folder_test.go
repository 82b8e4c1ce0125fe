package sound

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// prepare runs the script as a server would, with an environment, and returns what it
// says until its input ends or the word is said.
func prepare(t *testing.T, env []string, word string) *folder {
	t.Helper()
	c := exec.Command("/bin/sh", "-c", prepareScript)
	c.Env = append(env, "PATH="+os.Getenv("PATH"))
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := newAnswer()
	c.Stdout, c.Stderr = said, os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Write(cookieOf('s'))
	<-said.complete
	f := new(folder)
	if err := f.parse(said.String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(f.path) })
	if cookie, err := os.ReadFile(f.path + "/cookie"); err != nil || string(cookie) != string(cookieOf('s')) {
		t.Errorf("cookie of %d bytes, %v", len(cookie), err)
	}
	stdin.Write([]byte(word))
	stdin.Close()
	c.Wait()
	return f
}

func TestFolder(t *testing.T) {
	runtime, err := os.MkdirTemp("/tmp", "run-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(runtime)
	f := prepare(t, []string{"XDG_RUNTIME_DIR=" + runtime}, "")
	if filepath.Dir(f.path) != runtime {
		t.Errorf("folder %s, want one in %s", f.path, runtime)
	}
	if _, err := os.Stat(f.path); !os.IsNotExist(err) {
		t.Errorf("the folder stays when the input ends: %v", err)
	}
	f = prepare(t, []string{"XDG_RUNTIME_DIR=" + runtime}, "keep\n")
	info, err := os.Stat(f.path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v: want a folder of mode 700 that stays", info, err)
	}
}

// A runtime directory that is unusable is not used.
func TestFolderElsewhere(t *testing.T) {
	for _, runtime := range []string{"/nonexistent", "relative", "/tmp/with blank", "/" + strings.Repeat("long/", 20), "/tmp/$(id)'\""} {
		f := prepare(t, []string{"XDG_RUNTIME_DIR=" + runtime}, "")
		if filepath.Dir(f.path) != "/tmp" {
			t.Errorf("%q: folder %s, want one in /tmp", runtime, f.path)
		}
	}
}

func TestAnswer(t *testing.T) {
	const path = "/run/user/1000/ltsp-sound-abcdefGHI9"
	for said, want := range map[string]string{
		"Welcome!\nldm-sound alsa\nldm-sound folder " + path + "\n": path,
		"ldm-sound folder " + path + "\n":                           path,
		"ldm-sound folder /etc/../ltsp-sound-abcdefGHI9\n":          "",
		"ldm-sound folder /tmp/ltsp-sound-abc' GHI9\n":              "",
		"ldm-sound folder relative/ltsp-sound-abcdefGHI9\n":         "",
		"no such thing\n": "",
	} {
		f, a := new(folder), newAnswer()
		for _, b := range []byte(said) {
			a.Write([]byte{b})
		}
		if err := f.parse(a.String()); (err == nil) != (want != "") || err == nil && f.path != want {
			t.Errorf("%q: %q, %v", said, f.path, err)
		}
	}
	flood := newAnswer()
	for range 100 {
		flood.Write(make([]byte, 4096))
	}
	<-flood.complete
	if len(flood.String()) != maxAnswer {
		t.Errorf("kept %d bytes", len(flood.String()))
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("ldm-sound alsa\nldm-sound folder /tmp/ltsp-sound-abcdefghij\n")
	f.Fuzz(func(t *testing.T, said string) {
		found := new(folder)
		if found.parse(said) == nil && strings.ContainsAny(found.env()["PULSE_SERVER"], " \t\n'\"{}") {
			t.Fatalf("PULSE_SERVER is %q", found.env()["PULSE_SERVER"])
		}
	})
}
