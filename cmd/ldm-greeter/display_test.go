package main_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"goldm/internal/xauth"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// display is an X server without a window manager, and a person in front of it.
type display struct {
	t         *testing.T
	name      string // ":7"
	authority string
}

// need skips the test where a program is missing, except in CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing", p)
		}
		t.Skipf("%s is missing", p)
	}
}

// newDisplay starts Xvfb with a screen such as "800x600".
func newDisplay(t *testing.T, size string) *display {
	t.Helper()
	need(t, "Xvfb", "xdotool", "import")
	authority := filepath.Join(t.TempDir(), "Xauthority")
	writeAuthority(t, authority)
	numbers, xvfb, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", size+"x24",
		"-auth", authority, "-noreset", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{xvfb}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	xvfb.Close()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var number int
	if _, err := fmt.Fscanf(numbers, "%d\n", &number); err != nil {
		t.Fatalf("Xvfb does not start: %v", err)
	}
	return &display{t: t, name: fmt.Sprintf(":%d", number), authority: authority}
}

func writeAuthority(t *testing.T, path string) {
	t.Helper()
	var b bytes.Buffer
	err := xauth.Write(&b, []xauth.Entry{
		{Family: xauth.Wild, Name: xauth.MITMagicCookie, Data: xauth.NewCookie()},
	})
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// env is the whole environment of a program on the display, as ldm gives it.
func (d *display) env() []string {
	return []string{
		"DISPLAY=" + d.name, "XAUTHORITY=" + d.authority, "LANG=C.UTF-8",
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent",
	}
}

func (d *display) run(argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = d.env()
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

func (d *display) must(argv ...string) {
	d.t.Helper()
	if _, err := d.run(argv...); err != nil {
		d.t.Fatalf("%v: %v", argv, err)
	}
}

// types types a text, and presses Enter.
func (d *display) types(text string) {
	d.t.Helper()
	if text != "" {
		d.must("xdotool", "type", "--delay", "20", text)
	}
	d.presses("Return")
}

func (d *display) presses(key string) {
	d.t.Helper()
	d.must("xdotool", "key", key)
}

// title is that of the window which has the input focus: what a screen reader
// would announce.
func (d *display) title() string {
	title, err := d.run("xdotool", "getwindowfocus", "getwindowname")
	if err != nil {
		return ""
	}
	return title
}

// sees waits until the title of the focused window ends in what.
func (d *display) sees(what string) {
	d.t.Helper()
	if !eventually(func() bool { return strings.HasSuffix(d.title(), what) }) {
		d.picture("instead-of")
		d.t.Fatalf("the screen shows %q, not %q", d.title(), what)
	}
}

// eventually tries until done or out of patience.
func eventually(done func() bool) bool {
	for limit := time.Now().Add(patience); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}

// picture keeps a picture of the screen for people (go test -artifacts) and
// returns how many colours it has.
func (d *display) picture(name string) int {
	d.t.Helper()
	file := filepath.Join(d.t.ArtifactDir(), name+".png")
	d.must("import", "-window", "root", "png:"+file)
	out, err := d.run("identify", "-format", "%k", file)
	if err != nil {
		d.t.Fatal(err)
	}
	var colours int
	if _, err := fmt.Sscan(out, &colours); err != nil {
		d.t.Fatal(err)
	}
	return colours
}
