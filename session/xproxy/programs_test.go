package xproxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"goldm/internal/x11"
	"goldm/internal/x11/xtest"
	"goldm/internal/xauth"
	sessionx11 "goldm/session/x11"
)

// shown is a display that programs can be given.
type shown struct{ name, authority string }

// showPair shows a server through the pair, with the policy that forwarding has.
func showPair(t *testing.T, server *xtest.Server) shown {
	t.Helper()
	forwarder, err := sessionx11.NewForwarder(sessionx11.Config{
		Display: &sessionx11.Display{Number: server.Number, AuthName: cookieName, AuthData: server.Cookie},
		Log:     testLog(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forwarder.Close() })
	_, secret, _ := forwarder.Request()
	cookie, err := hex.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	display, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	joinPair(t, display, server, Offer{Cookie: cookie}, forwarder.Serve)
	authority := filepath.Join(t.TempDir(), "authority")
	xtest.WriteAuthority(t, authority, xauth.Entry{Family: xauth.Wild, Name: cookieName, Data: cookie})
	return shown{display.Name(), authority}
}

// alone is a server itself.
func alone(server *xtest.Server) shown { return shown{server.Display, server.Authority} }

// command is a program on the display, with nothing around it that makes a difference.
func (s shown) command(t *testing.T, argv ...string) *exec.Cmd {
	xtest.Need(t, argv[0])
	c := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	c.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + t.TempDir(), "LC_ALL=C", "TZ=UTC", "DISPLAY=" + s.name, "XAUTHORITY=" + s.authority,
		"GSETTINGS_BACKEND=memory", "NO_AT_BRIDGE=1", "DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent",
	}
	return c
}

// output is what a program says until its end.
func (s shown) output(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := s.command(t, argv...).CombinedOutput()
	if err != nil {
		t.Errorf("%s on %s: %v: %s", argv[0], s.name, err, out)
	}
	return string(out)
}

// TestRendercheck has what RENDER draws read back and checked, pixel by pixel: all kinds of tests,
// of so many operators and formats that it does not take long.
func TestRendercheck(t *testing.T) {
	server := xtest.Start(t, "-screen", "0", "640x480x24")
	check := []string{"rendercheck", "-f", "a8r8g8b8,a8", "-o", "Clear,Over,Xor,Add"}
	results := func(s shown) (lines []string) {
		for line := range strings.Lines(s.output(t, check...)) {
			if !strings.Contains(line, s.name) {
				lines = append(lines, line)
			}
		}
		return lines
	}
	want, got := results(alone(server)), results(showPair(t, server))
	if !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d:\n%s", len(got), len(want), strings.Join(got, ""))
	}
	if all := strings.Join(got, ""); !regexp.MustCompile(`(?m)^([1-9]\d{2,}) tests passed of \d+ total$`).MatchString(all) {
		t.Error(all)
	}
}

// perfTests are some of x11perf's of every kind that it has.
var perfTests = strings.Fields(`-dot -rect10 -srect100 -osrect10 -tilerect100 -seg10 -dseg100 -hseg100 -line10 -wline10 -wdline100 -orect100
	-circle10 -wddcircle100 -fcircle100 -ellipse100 -fcpellipse10 -triangle10 -trap10 -tiletrap10 -complex10 -64poly100complex
	-ftext -fitext -polytext -scroll100 -copywinwin100 -copypixwin100 -copywinpix100 -copypixpix100 -copyplane100 -deepcopyplane100
	-putimage10 -putimage500 -putimagexy100 -getimage10 -getimage500 -getimagexy100 -compwinwin100 -comppixwin100 -magpixwin100
	-noop -pointer -prop -gc -create -ucreate -map -unmap -destroy -popup -move -umove -movetree -resize -uresize -circulate -ucirculate`)

// x11perf does what it does to an X server alone, to the end.
func TestX11perf(t *testing.T) {
	server := xtest.Start(t, "-screen", "0", "1024x768x24")
	name := regexp.MustCompile(`(?m)^ *\d+ reps @ .*?/sec\): (.*)$`)
	var done [2][]string
	for i, s := range []shown{alone(server), showPair(t, server)} { // some tests are made with several numbers of windows
		out := s.output(t, append([]string{"x11perf", "-reps", "2", "-repeat", "1"}, perfTests...)...)
		for _, found := range name.FindAllStringSubmatch(out, -1) {
			done[i] = append(done[i], found[1])
		}
	}
	if len(done[0]) < len(perfTests) || !slices.Equal(done[1], done[0]) {
		t.Errorf("%d tests: %q; alone %d: %q", len(done[1]), done[1], len(done[0]), done[0])
	}
}

// pictured are programs whose pictures only depend on the display, side by side.
var pictured = [][]string{
	{"gtk3-demo"},
	{"xterm", "-xrm", "*waitForWm: false", "-geometry", "80x24+900+0", "-e", `seq 999; printf '\033[31mred\033[44m on blue\033[0m \033[1mbold\n'; exec sleep 1000`},
	{"xlogo", "-geometry", "200x200+900+400", "-shape", "-fg", "gold"},
	{"xeyes", "-geometry", "200x150+1100+400", "-center", "#8899aa"},
	{"xclock", "-analog", "-geometry", "200x200+1300+400"},
	{"oclock", "-geometry", "150x150+900+620"},
	{"xcalc", "-geometry", "230x300+1100+620"},
	{"xgc", "-geometry", "+900+930"},
	{"xmessage", "-geometry", "300x100+0+700", "-default", "okay", "What it says."},
	{"xlogo", "-render", "-geometry", "200x200+1340+620"},
	{"bitmap", "-geometry", "500x400+0+810", "-size", "8x8"},
}

// TestSamePicture compares what real programs show through the pair and on an X server alone.
func TestSamePicture(t *testing.T) {
	args := []string{"-screen", "0", "1600x1260x24"}
	one, other := xtest.Start(t, args...), xtest.Start(t, args...)
	for _, s := range []shown{alone(one), showPair(t, other)} {
		for _, argv := range pictured {
			startProgram(t, s.command(t, argv...))
		}
	}
	looks := [2]*xclient{dial(t, one.Path(), one.Cookie, x11.LittleEndian), dial(t, other.Path(), other.Cookie, x11.LittleEndian)}
	eventually(t, "the pictures are the same", func() error {
		before := looks[0].look(0, 0, 1600, 1260)
		got, after := looks[1].look(0, 0, 1600, 1260), looks[0].look(0, 0, 1600, 1260)
		if n := len(looks[0].windows()); n < len(pictured) {
			return fmt.Errorf("%d windows", n)
		}
		if !bytes.Equal(before, after) || !bytes.Equal(got, after) {
			return fmt.Errorf("pictures %x, %x, then %x", sha256.Sum256(before), sha256.Sum256(got), sha256.Sum256(after))
		}
		return nil
	})
}

// TestManyPrograms has thirty programs start at once, draw, answer whoever asks them to end, and
// leave nothing behind.
func TestManyPrograms(t *testing.T) {
	const programs, size = 30, 100
	server := xtest.Start(t, "-screen", "0", "640x480x24")
	s := showPair(t, server)
	var running []*exec.Cmd
	for i := range programs {
		argv := [][]string{{"xlogo"}, {"xclock"}, {"xeyes"}, {"xcalc"}, {"xlogo", "-render"}}[i%5]
		place := fmt.Sprintf("%dx%d+%d+%d", size-10, size-30, i%6*size, i/6*(size-20))
		c := s.command(t, append(argv, "-geometry", place)...)
		running = append(running, c)
		startProgram(t, c)
	}
	watcher := dial(t, server.Path(), server.Cookie, x11.BigEndian)
	eventually(t, "all have drawn", func() error {
		for i := range programs {
			picture := watcher.look(i%6*size, i/6*(size-20), size-10, size-30)
			if len(picture) == 0 || bytes.Count(picture, picture[:4]) == len(picture)/4 {
				return fmt.Errorf("program %d has not", i)
			}
		}
		return nil
	})
	watcher.askToEnd(watcher.windows())
	var ending sync.WaitGroup
	for _, c := range running {
		ending.Go(func() {
			if err := c.Wait(); err != nil {
				t.Errorf("%q: %v", c.Args, err)
			}
		})
	}
	ending.Wait()
	eventually(t, "nothing is left", func() error {
		if left := watcher.windows(); len(left) > 0 {
			return fmt.Errorf("windows %x", left)
		}
		return nil
	})
}

// startProgram starts a program that ends with the test at the latest.
func startProgram(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait() // an error after the first time
	})
}

// eventually waits for what no event announces.
func eventually(t *testing.T, what string, so func() error) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := so()
		if err == nil {
			return
		}
		if t.Failed() || time.Since(begin) > patience {
			t.Fatalf("not %s: %v", what, err)
		}
	}
}

// Core requests that look at what others show (appendix B).
const (
	queryTree = 15
	sendEvent = 25
	getImage  = 73
)

// ask says one request and returns the reply.
func (c *xclient) ask(request []byte) []byte {
	c.t.Helper()
	c.conn.(*net.UnixConn).SetDeadline(time.Now().Add(patience))
	c.asked++
	c.send(request)
	all := c.until(c.asked)
	if len(all) == 0 {
		c.t.FailNow()
	}
	return all[len(all)-1]
}

// look returns the pixels of a part of the screen.
func (c *xclient) look(x, y, width, height int) []byte {
	const zPixmap, head = 2, x11.AnswerHead
	reply := c.ask(c.request(getImage, zPixmap, c.root(), x, y, width, height, ^uint32(0)))
	return reply[head:]
}

// windows returns those that are the root window's children.
func (c *xclient) windows() (ids []uint32) {
	reply := c.ask(c.request(queryTree, 0, c.root()))
	for rest := reply[x11.AnswerHead:]; len(rest) >= 4; rest = rest[4:] {
		ids = append(ids, c.order.Uint32(rest))
	}
	return ids
}

// askToEnd asks the programs of windows to end, as a window manager does (ICCCM, 4.2.8.1).
func (c *xclient) askToEnd(windows []uint32) {
	const clientMessage, format = 33, 32
	atom := func(name string) uint32 {
		return c.order.Uint32(c.ask(c.request(internAtom, 0, len(name), 0, name))[8:])
	}
	protocols, deletion := atom("WM_PROTOCOLS"), atom("WM_DELETE_WINDOW")
	for _, w := range windows {
		event := c.encode(byte(clientMessage), byte(format), 0, w, protocols, deletion, uint32(0), make([]byte, 12))
		c.asked++
		c.send(c.request(sendEvent, 0, w, uint32(0), event))
	}
}
