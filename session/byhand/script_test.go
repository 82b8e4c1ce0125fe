package byhand

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"goldm/internal/agentwire"
	"goldm/internal/cli"
	"goldm/internal/cli/clitest"
	"goldm/session/internal/sshtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){Name: func() { os.Exit(cli.Main(Name, Run)) }})
}

// TestScripts gives each script a server of its own, at 127.0.0.1:$PORT, which
// takes anna's password and the key in the file key. The file known has
// its host key.
func TestScripts(t *testing.T) {
	clitest.RunWith(t, func(env *testscript.Env) error {
		key := newEd25519(t)
		signer := writeKey(t, filepath.Join(env.WorkDir, "key"), key, "")
		writeKey(t, filepath.Join(env.WorkDir, "lockedkey"), key, "open sesame")
		server := startServer(t, signer.PublicKey())
		known, err := os.ReadFile(server.KnownHosts())
		if err != nil {
			return err
		}
		env.Setenv("PORT", fmt.Sprint(server.Port))
		env.Setenv("HOME", env.WorkDir)
		env.Setenv("PASSWORD", sshtest.Password)
		return os.WriteFile(filepath.Join(env.WorkDir, "known"), known, 0o644)
	})
}

// startServer starts a server that takes sshtest's password and a key.
func startServer(t *testing.T, key ssh.PublicKey) *sshtest.Server {
	t.Helper()
	var server *sshtest.Server
	server = sshtest.Start(t, sshtest.Config{
		Exec: serve,
		Configure: func(c *ssh.ServerConfig) {
			c.PasswordCallback = func(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
				return server.CheckPassword(conn, password)
			}
			c.PublicKeyCallback = func(conn ssh.ConnMetadata, offered ssh.PublicKey) (*ssh.Permissions, error) {
				if key == nil || conn.User() != sshtest.User || string(offered.Marshal()) != string(key.Marshal()) {
					return nil, errors.New("no such key")
				}
				return nil, nil
			}
		},
	})
	return server
}

// serve runs a command with a shell, as sshd does; a desktop is played.
func serve(e *sshtest.Exec) {
	if strings.Contains(e.Line, "XDG_SESSION_TYPE") {
		playDesktop(e)
		return
	}
	cmd := exec.Command("/bin/sh", "-c", e.Line)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=" + e.Env["LANG"], "LC_TIME=" + e.Env["LC_TIME"]}
	if e.X11 != nil {
		cmd.Env = append(cmd.Env, "DISPLAY=forwarded")
	}
	cmd.Stdout, cmd.Stderr = e, e.Stderr()
	stdin, err := cmd.StdinPipe()
	if err != nil || cmd.Start() != nil {
		e.Exit(255)
		return
	}
	go func() {
		defer stdin.Close()
		io.Copy(stdin, e)
	}()
	go func() {
		if <-e.Signals == "TERM" {
			cmd.Process.Signal(syscall.SIGTERM)
		}
	}()
	cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		e.Kill("KILL")
		return
	}
	e.Exit(uint32(cmd.ProcessState.ExitCode()))
}

// playDesktop plays an agent whose desktop ends with status 3, after a ping.
func playDesktop(e *sshtest.Exec) {
	agentwire.Write(e, &agentwire.Hello{Version: agentwire.Version, Agent: "played"})
	agentwire.Write(e, &agentwire.Started{})
	m, err := agentwire.NewReader(e).Read()
	if _, ping := m.(*agentwire.Ping); err != nil || !ping {
		e.Exit(99)
		return
	}
	fmt.Fprintln(e.Stderr(), "the desktop is out of \x1b[2Jorder")
	agentwire.Write(e, &agentwire.Ended{Status: 3})
	e.Exit(3)
}
