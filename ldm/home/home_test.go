package home

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"goldm/internal/failure"
	"goldm/internal/privs"
	"goldm/internal/supervise"
	"goldm/internal/testbed"
	"goldm/ldm/room"
)

const limit = 30 * time.Second

// The test re-runs itself as what is in a room, and on a machine of its own.
func TestMain(m *testing.M) {
	testbed.Init()
	if len(os.Args) > 1 && (os.Args[1] == "room" || os.Args[1] == "home") {
		inside := room.Main
		if os.Args[1] == "home" {
			inside = Main
		}
		if err := inside(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			syscall.Exit(1)
		}
		syscall.Exit(0) // without the second that the race detector waits
	}
	os.Exit(m.Run())
}

// onMachine is in the environment of a test that has a machine to itself.
const onMachine = "GOLDM_TEST_ON_MACHINE"

// TestOnMachine runs the tests of this file on a machine, whose folders they may
// spoil, and where there are sshfs and an SFTP server.
func TestOnMachine(t *testing.T) {
	if os.Getenv(onMachine) != "" {
		t.Skip("this is the machine")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		t.Run(suite, func(t *testing.T) {
			bed := testbed.Start(t, testbed.Config{Suite: suite, ClientPrograms: []string{self}})
			if err := bed.Client.AddUser(t.Context(), "anna", "x"); err != nil {
				t.Fatal(err)
			}
			c := bed.Client.Command(t.Context(), "root", "/usr/local/bin/"+filepath.Base(self), "-test.run=^TestMachine", "-test.v", "-test.timeout=3m")
			c.Env = append(c.Env, onMachine+"=1")
			out, err := c.CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("--- PASS: TestMachine")) || bytes.Contains(out, []byte("--- SKIP")) {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// place is a room, and a server whose user is anna.
type place struct {
	t      *testing.T
	config Config
	room   *room.Room
	log    *bytes.Buffer

	servers []*exec.Cmd // the last one is the newest
}

const said = "/tmp/sshfs.log"

var local = privs.User{UID: 39990, GID: 39990} // which NSS does not know

func needMachine(t *testing.T) {
	t.Helper()
	if os.Getenv(onMachine) == "" {
		t.Skip("TestOnMachine runs it")
	}
}

func newPlace(t *testing.T, extra ...string) *place {
	t.Helper()
	needMachine(t)
	p := &place{t: t, log: new(bytes.Buffer)}
	log := slog.New(slog.NewTextHandler(&locked{w: p.log}, nil))
	group := supervise.NewGroup(log)
	t.Cleanup(func() { group.Close(0) })
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	folder, err := os.MkdirTemp("/run", "room-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(folder, 0o711); err != nil {
		t.Fatal(err)
	}
	r, err := room.Open(ctx, room.Config{
		User: local, Folder: folder, Homes: []string{"/home"}, Extra: extra,
		Self: []string{"/proc/self/exe", "room"}, Group: group, Log: log, Output: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		if t.Failed() {
			text, _ := os.ReadFile(said)
			t.Logf("%s\nsshfs:\n%s", p.log, text)
		}
	})
	p.room = r
	p.config = Config{
		Room: r, User: local, Self: []string{"/proc/self/exe", "home"}, Group: group, Prefixes: []string{"/home"},
		Output: func(string) (*os.File, func(), error) {
			f, err := os.OpenFile(said, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			return f, func() {}, err
		},
		Log: log,
	}
	return p
}

// locked is a log to read after it was written by several.
type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// serve starts an SFTP server for anna and returns the socket to it.
func (p *place) serve() *os.File {
	p.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	theirs, ours := os.NewFile(uintptr(fds[0]), "server"), os.NewFile(uintptr(fds[1]), "client")
	defer theirs.Close()
	server := exec.Command("/usr/lib/openssh/sftp-server")
	server.Dir, server.Stdin, server.Stdout, server.Stderr = "/home/anna", theirs, theirs, os.Stderr
	server.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}, Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	p.servers = append(p.servers, server)
	return ours
}

func (p *place) mount(paths ...string) (*Home, error) {
	p.t.Helper()
	var files []*os.File
	for range paths {
		files = append(files, p.serve())
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	h, err := Mount(ctx, p.config, paths, files)
	if err == nil {
		p.t.Cleanup(h.Close)
	}
	return h, err
}

func (p *place) mustMount(paths ...string) *Home {
	p.t.Helper()
	h, err := p.mount(paths...)
	if err != nil {
		p.t.Fatal(err)
	}
	return h
}

// start starts a shell script in the room, in its home if there is one.
func (p *place) start(h *Home, script string) (*bufio.Reader, *supervise.Process) {
	p.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { r.Close() })
	r.SetReadDeadline(time.Now().Add(limit))
	c := room.Command{Name: "script", Args: []string{"bash", "-c", script}, Env: []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, Output: w}
	if h != nil {
		c.Env, c.Dirs = append(c.Env, h.Env()...), []string{h.Path()}
	}
	process, err := p.room.Start(c)
	w.Close()
	if err != nil {
		p.t.Fatal(err)
	}
	return bufio.NewReader(r), process
}

// run runs a shell script in the room and returns what it wrote.
func (p *place) run(h *Home, script string) string {
	p.t.Helper()
	out, _ := p.start(h, script)
	text, err := io.ReadAll(out)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// mounts lists what is mounted in the room besides what it has at first.
func (p *place) mounts() string {
	p.t.Helper()
	return p.run(nil, `grep fuse /proc/self/mounts | cut -d" " -f1-4`)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMachineWhoseItIs(t *testing.T) {
	p := newPlace(t)
	h := p.mustMount("/home/anna")
	const script = `pwd; echo $XDG_CACHE_HOME; stat -c %a:%u $XDG_CACHE_HOME; echo hello > "grüße 日本"; mkdir -m 700 sub; stat -c %u:%g . sub; ls /home`
	if got, want := p.run(h, script), "/home/anna\n/tmp/.cache\n700:39990\n39990:39990\n39990:39990\nanna\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var stat unix.Stat_t
	if err := unix.Stat("/home/anna/grüße 日本", &stat); err != nil || stat.Uid != 1000 || stat.Gid != 1000 || read(t, "/home/anna/grüße 日本") != "hello\n" {
		t.Errorf("on the server: %+v, %v", stat, err)
	}
	if got := p.mounts(); !strings.Contains(got, "server:/home/anna /home/anna fuse.sshfs rw,nosuid,nodev,relatime,user_id=39990,group_id=39990") {
		t.Errorf("mounts: %s", got)
	}
	if mounts := read(t, "/proc/self/mounts"); strings.Contains(mounts, "sshfs") {
		t.Errorf("it is seen from outside: %s", mounts)
	}
	status := read(t, fmt.Sprintf("/proc/%d/status", h.folders[0].process.Pid()))
	for _, line := range []string{"Name:\tsshfs", "Uid:\t39990\t39990\t39990\t39990", "NoNewPrivs:\t1", "CapEff:\t0000000000000000", "Groups:\t \n"} {
		if !strings.Contains(status, line) {
			t.Errorf("no %q in %s", line, status)
		}
	}
	h.Close()
	if got := p.mounts(); got != "" {
		t.Errorf("left: %s", got)
	}
}

// hostile is what a server may say that the home is.
func TestMachineHostileHomes(t *testing.T) {
	p := newPlace(t)
	for _, command := range []string{"mkdir /home/real /data", "ln -s /data /home/link", "ln -s real /home/bert", "touch /home/file"} {
		if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	before := p.mounts()
	for _, path := range []string{
		"/usr/bin", "/", "/home", "/home/../etc", "/home/a\x00", "../../etc", "",
		"/home/" + strings.Repeat("x", 10<<10), "/home/" + strings.Repeat("x", 300), "/home/" + strings.Repeat("x/", 40<<10),
	} {
		h, err := p.mount(path)
		if err == nil {
			t.Errorf("%.60q: mounted at %q", path, h.Path())
			h.Close()
			continue
		}
		if f := failure.Of(err); !strings.Contains(f.Sentence, "Your home directory on the server") || len(f.Sentence) > 500 {
			t.Errorf("%.60q: %q", path, f.Sentence)
		}
	}
	if after := p.mounts(); after != before {
		t.Errorf("left: %s", after)
	}
	p.mustMount("/home/anna") // the next one works
}

// What this client has under a home's name does not matter: the room has another folder there.
func TestMachineClientsOwn(t *testing.T) {
	p := newPlace(t)
	if out, err := exec.Command("sh", "-c", "mkdir -p /data/x && ln -sfn /data /home/link").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h := p.mustMount("/home/link/x") // the server's folder is /data/x
	if got := p.run(h, "pwd; stat -c %F /home/link"); got != "/home/link/x\ndirectory\n" {
		t.Errorf("got %q", got)
	}
	if mounts := read(t, "/proc/self/mounts"); strings.Contains(mounts, "/data") {
		t.Errorf("a link of the client was followed: %s", mounts)
	}
}

func TestMachineFilesThatAreNoSockets(t *testing.T) {
	p := newPlace(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	for _, f := range []*os.File{null, r, os.NewFile(uintptr(fds[0]), "datagrams")} {
		if h, err := Mount(t.Context(), p.config, []string{"/home/anna"}, []*os.File{f}); err == nil {
			h.Close()
			t.Errorf("%s is taken", f.Name())
		}
		if f.Close() == nil {
			t.Errorf("%s was left open", f.Name())
		}
	}
	if _, err := Mount(t.Context(), p.config, nil, nil); failure.Of(err).Sentence == "" {
		t.Error("no sentence where there is no home")
	}
}

// A server that does not answer, or answers nonsense, is given up.
func TestMachineServersThatAreNoUse(t *testing.T) {
	p := newPlace(t)
	for name, says := range map[string]string{"nonsense": "Welcome to the school!\n", "nothing": ""} {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Write(fds[0], []byte(says))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		h, err := Mount(ctx, p.config, []string{"/home/anna"}, []*os.File{os.NewFile(uintptr(fds[1]), "socket")})
		cancel()
		unix.Close(fds[0])
		if err == nil {
			h.Close()
			t.Errorf("%s: mounted", name)
		}
	}
	if got := p.mounts(); got != "" {
		t.Errorf("left: %s", got)
	}
}

func TestMachineExtra(t *testing.T) {
	needMachine(t)
	if out, err := exec.Command("sh", "-c", "mkdir -p /srv/share /mnt /home/music && chown anna /srv/share && echo local > /usr/local/file").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	extra := []string{"/home/music", "/srv/share", "/mnt/deep/er", "/usr/local/none", "/home/anna/sub"}
	p := newPlace(t, extra...)
	p.config.Extra = extra
	h := p.mustMount("/home/anna", "/home/music", "/srv/share", "/mnt/deep/er", "/usr/local/none", "/home/anna/sub", "/unasked")
	if got := p.run(h, "grep -c fuse.sshfs /proc/self/mounts; ls /home; touch /srv/share/x; stat -c %u /srv/share/x; cat /usr/local/file"); got != "3\nanna\nmusic\n39990\nlocal\n" {
		t.Errorf("got %q\n%s", got, p.mounts())
	}
	h.Close()
	if got := p.mounts(); got != "" {
		t.Errorf("left: %s", got)
	}
	if entries, err := os.ReadDir("/mnt"); err != nil || len(entries) > 0 {
		t.Errorf("made on the client: %v, %v", entries, err)
	}
}

// What is lost is gone at once, whoever uses it, and can be mounted again.
func TestMachineLost(t *testing.T) {
	p := newPlace(t)
	h := p.mustMount("/home/anna")
	out, process := p.start(h, `exec 3<> file; echo up; read -t 20 < <(while [ -d /home/anna/. ]; do sleep 0.05; done; echo); cat file 2>&1; echo more >&3; pwd; echo $?; sleep 1000`)
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	begun := time.Now()
	p.servers[len(p.servers)-1].Process.Kill()
	select {
	case <-h.Done():
	case <-time.After(limit):
		t.Fatal("nobody noticed")
	}
	t.Logf("noticed after %v", time.Since(begun))
	h.Close()
	if got := p.mounts(); got != "" {
		t.Errorf("left: %s", got)
	}
	if line, err := out.ReadString('\n'); err != nil || !strings.Contains(line, "not connected") {
		t.Errorf("the reader has %q, %v", line, err)
	}
	again := p.mustMount("/home/anna")
	if got := p.run(again, "pwd; echo new > lost; cat lost"); got != "/home/anna\nnew\n" {
		t.Errorf("got %q", got)
	}
	process.Stop(0)
}

// A server that falls silent holds nobody: neither a program that waits for it
// nor the end of the room.
func TestMachineSilent(t *testing.T) {
	p := newPlace(t)
	h := p.mustMount("/home/anna")
	out, process := p.start(h, `exec 3> file; echo up; read -t 0.1 < /dev/zero; while :; do echo more; ls; done > /dev/null`)
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("%q, %v", line, err)
	}
	p.servers[len(p.servers)-1].Process.Signal(unix.SIGSTOP)
	begun := time.Now()
	late := time.AfterFunc(100*time.Millisecond, h.Close)
	p.room.Close()
	late.Stop()
	h.Close()
	<-process.Done()
	if took := time.Since(begun); took > limit/2 {
		t.Errorf("it took %v", took)
	}
}

// What programs do to files that are dear to somebody.
func TestMachineFiles(t *testing.T) {
	p := newPlace(t)
	h := p.mustMount("/home/anna")
	for name, tt := range map[string]struct{ script, want string }{
		"rename over":   {`echo old > a; echo new > b; exec 3< a; mv b a; cat a; cat <&3; ls b 2>&1 | grep -c such`, "new\nold\n1\n"},
		"links":         {`echo x > t; ln -s t l; ln -s /home/anna/t abs; ln -s nowhere dangling; cat l abs; readlink l dangling; rm l t abs dangling`, "x\nx\nt\nnowhere\n"},
		"hard links":    {`echo x > one; ln one two; rm one; cat two`, "x\n"},
		"flock":         {`touch k; exec 3> k; flock -n 3 && echo got; flock -n k true || echo held`, "got\nheld\n"},
		"names":         {`for n in "Ελληνικά" "漢字" "🙂" "a b" "-x" "q'\"" $'tab\there' $'bad\xff'; do echo "$n" > "./$n" && cat "./$n" && rm "./$n"; done`, "Ελληνικά\n漢字\n🙂\na b\n-x\nq'\"\ntab\there\nbad\xff\n"},
		"truncate":      {`printf 0123456789 > s; truncate -s 4 s; cat s; : > s; stat -c " %s" s`, "0123 0\n"},
		"append":        {`echo 1 > ap; echo 2 >> ap; cat ap`, "1\n2\n"},
		"mode":          {`touch m; chmod 600 m; stat -c %a m; chmod +x m; stat -c %a m; touch -d 2001-02-03 m; stat -c %y m | cut -c1-10`, "600\n711\n2001-02-03\n"},
		"others'":       {`touch own; chown 0 own 2> /dev/null || echo refused; stat -c %u own`, "refused\n39990\n"},
		"sync":          {`echo x > f; sync f && echo synced`, "synced\n"},
		"the server's":  {`cat server 2>&1; stat -c %s grows`, "by anna\n3\n"},
		"where it is":   {`cd ..; pwd; cd anna; /bin/pwd; cd /; ls -d ~+/home/anna`, "/home\n/home/anna\n//home/anna\n"},
		"a folder gone": {`mkdir d; cd d; rmdir ../d; touch x 2>&1 | grep -c such`, "1\n"},
	} {
		write(t, "/home/anna/server", "by anna\n")
		write(t, "/home/anna/grows", "abc")
		if got := p.run(h, tt.script); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 1000, 1000); err != nil {
		t.Fatal(err)
	}
}
