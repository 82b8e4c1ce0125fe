package testbed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"goldm/internal/testbed"
)

func TestMain(m *testing.M) {
	testbed.Init()
	if os.Getenv(victim) != "" {
		beVictim()
	}
	if os.Getenv(inChroot) != "" {
		beInChroot()
		return
	}
	os.Exit(m.Run())
}

func TestNetwork(t *testing.T) {
	bed := start(t)
	pairs := [][2]*testbed.Machine{{bed.Client, bed.Server}, {bed.Server, bed.Client}}
	for _, p := range pairs {
		from, to := p[0], p[1]
		for _, family := range []string{"-4", "-6"} {
			if _, err := from.Output(t.Context(), "ping", family, "-c1", "-W5", to.Name); err != nil {
				t.Error(err)
			}
		}
		listener, err := to.Listen(t.Context(), "tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		conn, err := from.Dial(t.Context(), "tcp", to.Name+":7")
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if conn, err := net.DialTimeout("tcp", bed.Server.Address().String()+":7", 200*time.Millisecond); err == nil {
		conn.Close()
		t.Error("the host reaches the server")
	}
}

func TestCutAndRestore(t *testing.T) {
	bed := start(t)
	ping := func(family string) error {
		_, err := bed.Client.Output(t.Context(), "ping", family, "-c1", "-W1", "server")
		return err
	}
	for _, cut := range []struct {
		name string
		f    func() error
	}{{"Lose", bed.Lose}, {"Unplug", bed.Unplug}} {
		if err := cut.f(); err != nil {
			t.Fatal(err)
		}
		for _, family := range []string{"-4", "-6"} {
			if ping(family) == nil {
				t.Errorf("%s: ping %s still arrives", cut.name, family)
			}
		}
		if err := bed.Restore(); err != nil {
			t.Fatal(err)
		}
		for _, family := range []string{"-4", "-6"} {
			if err := ping(family); err != nil {
				t.Errorf("%s, then Restore: %v", cut.name, err)
			}
		}
	}
}

func TestUsersStayInside(t *testing.T) {
	bed := start(t)
	before, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	if err := bed.Server.AddUser(t.Context(), "anna", "geheim"); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the host's /etc/passwd has changed")
	}
	if _, err := bed.Client.Command(t.Context(), "anna", "true").Output(); err == nil {
		t.Error("the client knows the server's user")
	}
	out, err := bed.Server.Command(t.Context(), "anna", "sh", "-c", "id -un; id -Gn; pwd; echo $HOME; umask").Output()
	if want := "anna\nanna\n/home/anna\n/home/anna\n0022\n"; err != nil || string(out) != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
	out, err = bed.Server.Command(t.Context(), "1234:56", "sh", "-c", "id -u; id -g; id -G; cat /proc/self/status").Output()
	if err != nil || !strings.HasPrefix(string(out), "1234\n56\n56\n") || !strings.Contains(string(out), "CapEff:\t0000000000000000") {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestSSHD(t *testing.T) {
	bed := start(t)
	var log syncBuffer
	sshd, err := bed.Server.StartSSHD(t.Context(), testbed.SSHDOptions{Config: []string{"LogLevel VERBOSE"}, Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	if err := bed.Server.AddUser(t.Context(), "anna", "geheim"); err != nil {
		t.Fatal(err)
	}
	known, err := bed.KnownHosts()
	if err != nil {
		t.Fatal(err)
	}
	_, _, key, _, _, err := ssh.ParseKnownHosts([]byte(known))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bed.Client.Dial(t.Context(), "tcp", "server:22")
	if err != nil {
		t.Fatal(err)
	}
	c, chans, reqs, err := ssh.NewClientConn(conn, "server:22", &ssh.ClientConfig{
		User:              "anna",
		Auth:              []ssh.AuthMethod{ssh.Password("geheim")},
		HostKeyCallback:   ssh.FixedHostKey(key),
		HostKeyAlgorithms: []string{key.Type()},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := ssh.NewClient(c, chans, reqs)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := session.Output("id -un; hostname"); err != nil || string(out) != "anna\nserver\n" {
		t.Errorf("got %q, %v", out, err)
	}
	accepted := "Accepted password for anna from " + bed.Client.Address().String()
	waitFor(t, "the login in sshd's log", func() bool { return strings.Contains(log.String(), accepted) })
	sshd.Stop()
	if _, err := bed.Server.StartSSHD(t.Context(), testbed.SSHDOptions{Config: []string{"Nonsense yes"}}); err == nil || !strings.Contains(err.Error(), "Nonsense") {
		t.Errorf("a bad option gives %v", err)
	}
}

// syncBuffer is a buffer for a writer and a reader at once.
type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestPeerCredentials(t *testing.T) {
	bed := start(t)
	listener, err := bed.Client.Listen(t.Context(), "unix", "/tmp/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, ids := range [][2]int{{0, 0}, {1234, 5678}} {
		conn, err := bed.Client.DialAs(t.Context(), ids[0], ids[1], "unix", "/tmp/socket")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		peer, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		if uid, gid := peerOf(t, peer.(*net.UnixConn)); uid != ids[0] || gid != ids[1] {
			t.Errorf("peer is %d:%d, want %d:%d", uid, gid, ids[0], ids[1])
		}
	}
	if _, err := bed.Server.Dial(t.Context(), "unix", "/tmp/socket"); err == nil {
		t.Error("the server reaches a socket of the client")
	}
}

func peerOf(t *testing.T, conn *net.UnixConn) (uid, gid int) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if err != nil {
			t.Error(err)
			return
		}
		uid, gid = int(cred.Uid), int(cred.Gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	return uid, gid
}

func TestCommandEnds(t *testing.T) {
	bed := start(t)
	var exit *exec.ExitError
	err := bed.Client.Command(t.Context(), "root", "sh", "-c", "exit 42").Run()
	if !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Errorf("exit 42 gives %v", err)
	}
	err = bed.Client.Command(t.Context(), "root", "/no/such").Run()
	if !errors.As(err, &exit) || exit.ExitCode() != 127 {
		t.Errorf("no such program gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	sleep := bed.Client.Command(ctx, "daemon", "sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "sleep", func() bool { return slices.Contains(programs(t, bed.Client), "sleep") })
	cancel()
	if err := sleep.Wait(); err == nil {
		t.Error("a cancelled command ended well")
	}
	if p := programs(t, bed.Client); len(p) > 0 {
		t.Errorf("still there: %q", p)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	bed := start(t)
	if _, err := bed.Client.Output(t.Context(), "sh", "-c", "for i in 1 2 3 4 5; do setsid true & done; exit"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the end of the orphans", func() bool { return len(programs(t, bed.Client)) == 0 })
}

func TestTerminal(t *testing.T) {
	bed := start(t)
	cmd := bed.Client.Command(t.Context(), "root", "sh", "-c", "tty; ps -o pgid= -o tpgid= -p $$; read line; echo got $line")
	terminal, err := cmd.StartOnTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	fmt.Fprintln(terminal, "hello")
	out, _ := io.ReadAll(terminal) // ends with EIO when the last user has closed it
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	text := string(out)
	var pgid, tpgid int
	at := strings.Index(text, "/dev/pts/0\r\n")
	if at < 0 || !strings.Contains(text, "got hello") {
		t.Fatalf("got %q", text)
	}
	if _, err := fmt.Sscan(text[at+len("/dev/pts/0\r\n"):], &pgid, &tpgid); err != nil || pgid != tpgid || pgid == 0 {
		t.Errorf("not the foreground process group: %d, %d, %v in %q", pgid, tpgid, err, text)
	}
}

func start(t *testing.T) *testbed.Bed {
	t.Helper()
	testbed.Need(t)
	begin := time.Now()
	bed := testbed.Start(t, testbed.Config{})
	t.Logf("both machines up after %v", time.Since(begin).Round(time.Millisecond))
	return bed
}

// programs lists what runs on the machine.
func programs(t *testing.T, m *testbed.Machine) []string {
	t.Helper()
	processes, err := m.Processes()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range processes {
		names = append(names, p.Program())
	}
	return names
}

// waitFor asks again and again until it is so, for half a minute at most.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
